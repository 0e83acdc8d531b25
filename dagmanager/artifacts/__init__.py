"""Files made of the graph, on any fsspec filesystem, and their rows in the catalogue."""
