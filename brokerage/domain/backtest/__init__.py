"""Trading and simulation in one process, for local backtests."""
