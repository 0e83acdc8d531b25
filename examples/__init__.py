"""Strategies to read, run and change; and the demo."""
