"""Stretches of strategies whose entries have a stop, a target or a trailing stop."""
