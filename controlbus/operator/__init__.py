"""The operator's service: tail, lag, dead letters and replay. Holds no state of its own."""
