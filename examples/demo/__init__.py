"""The tour: one mesh, a world of two strategies with a paper session, and a world of one strategy on three stocks."""
