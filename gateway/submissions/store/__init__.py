"""Rows of the submissions database: strategies, claims on them, and releases of those that ended."""
