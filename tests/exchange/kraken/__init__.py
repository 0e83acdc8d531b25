"""Kraken spot: REST at /0, and the user's channel of its websockets v2."""
