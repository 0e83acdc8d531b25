"""The tour: one mesh, one world, two strategies, one paper session."""
