"""Other engines over the same bars in one run: speed, memory, and what came of it."""
