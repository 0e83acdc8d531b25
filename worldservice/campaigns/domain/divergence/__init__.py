"""Divergence of a live run from its own replay: pairs of orders, the terms of the gap, limits and verdict. Pure."""
