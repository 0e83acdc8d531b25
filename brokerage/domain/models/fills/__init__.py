"""Fill models: what one bar does to one resting order. Books nothing."""
