"""Worlds, bindings, roles, sessions and audit rows as values. Reads no clock and no store."""
