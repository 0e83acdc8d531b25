"""Layers of the strategy, each with one responsibility. A layer imports those below it only."""
