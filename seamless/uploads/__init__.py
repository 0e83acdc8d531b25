"""Files of one's own, taken from clients while the mesh runs and kept: presets at once and after restarts."""
