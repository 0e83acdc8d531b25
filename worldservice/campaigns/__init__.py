"""Evaluation campaigns: how far a strategy has come to live, and whether its execution keeps its edge."""
