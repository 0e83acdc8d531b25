"""Stretches of strategies that trade several symbols in one account."""
