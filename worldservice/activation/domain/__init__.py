"""Activation, operator changes and gate sessions as values and pure functions."""
