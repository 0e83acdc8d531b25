"""Submitting a strategy to a world: bind, fetch history, replay, report, and what the world answers."""
