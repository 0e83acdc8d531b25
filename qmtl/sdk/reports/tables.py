"""Metrics as tables of text, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table
_PERCENT = frozenset(
    {"max_drawdown", "total_return", "cagr", "win_rate", "var_99", "es_99", "es_975", "volatility", "exposure"}
)
_ACROSS = 3
_WHOLE = frozenset({"sample_days", "n_trades", "n_bars"})


def metrics_table(metrics: Mapping[str, float]) -> Table:
    """Metrics for rich, three to a row, read downwards."""
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 3, 0, 0))
    cells = [(name, show_metric(name, value)) for name, value in metrics.items()]
    height = -(-len(cells) // _ACROSS)
    for row in range(height):
        table.add_row(*(text for pair in cells[row::height] for text in pair))
    return table


def show_metric(name: str, value: float) -> str:
    """A metric as people write it: percent, count or number."""
    if name in _PERCENT:
        return f"{value:.2%}"
    return f"{value:,.0f}" if name in _WHOLE else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.2f}"


def render(item: object, width: int = 100) -> str:
    """Anything rich can show, as plain text."""
    from io import StringIO

    from rich.console import Console

    text = StringIO()
    Console(file=text, width=width, highlight=False).print(item)
    return text.getvalue().rstrip()
