"""Rows of allocations."""
