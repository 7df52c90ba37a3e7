"""Onetape against an independent reference of RULES.md, and later live against replay."""
