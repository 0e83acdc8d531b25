"""Orders, fills, positions and cash; the last door before a venue."""
