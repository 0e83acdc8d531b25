"""Conformance reports as they are kept and sent.\nThe rules themselves are pure and stand in the domain."""
