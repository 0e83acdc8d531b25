"""Feature artifacts: outputs of nodes, published by backtests and dry runs, read everywhere, never changed."""
