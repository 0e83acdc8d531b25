"""Nodes and edges as people ask for them. Reads only."""
