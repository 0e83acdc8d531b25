"""A strategy enters a world, leaves it, or is approved to go live. Its rows are in worlds/store."""
