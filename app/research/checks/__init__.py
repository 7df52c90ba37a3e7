"""Checks of a strategy: whether it sees the future, where it starts, and whether it answers the same twice."""
