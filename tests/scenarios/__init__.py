"""Drawn candle tables: each rule of RULES.md at work on a handful of candles, with money computed by hand."""
