"""Monitoring: the numbers of a result that are looked at first. Reads, never feeds a node."""


def monitors() -> tuple[str, ...]:
    """Names of metrics, as `result.metrics` has them."""
    return ("total_return", "sharpe", "max_drawdown", "n_trades")
