"""Nodes, validations and edges of one world as values. No I/O."""
