"""Independent reference implementation of the trading rules, written from RULES.md alone (test code)."""
