"""Versions of submitted DAGs, the contexts that hold them, and their release."""
