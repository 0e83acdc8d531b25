"""Version boundaries of a strategy, and the share of traffic of each."""
