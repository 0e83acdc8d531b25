"""Evaluation runs, and the way from a world's facts to its decision. Writes no activation."""
