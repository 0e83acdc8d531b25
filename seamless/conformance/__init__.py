"""Conformance reports as they are kept and sent; the rules themselves are pure and stand in the domain."""
