"""The whole graph in one file with one content hash."""
