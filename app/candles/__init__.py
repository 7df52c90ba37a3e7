"""Candles on disk: the cache and its month files, ranges, import, export, coarser series, coverage."""
