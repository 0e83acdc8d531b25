"""Fee models: what a venue charges for a fill."""
