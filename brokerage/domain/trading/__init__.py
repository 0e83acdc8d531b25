"""Commands and venue reports in, order events out: the one code of backtest and service."""
