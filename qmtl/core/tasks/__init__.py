"""Asyncio tasks: ended for certain, and kept going."""
