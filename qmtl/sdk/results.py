"""What runs answer: values that print readably, turn into JSON and draw themselves.

Numbers of the local replay stand apart from what a world decided: a backtest without a mesh says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qmtl.core.decimals import format_decimal
from qmtl.core.identity import Json
from qmtl.sdk.bars import Bars, to_datetime
from qmtl.sdk.tape import Replay

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

NOT_AUTHORITATIVE = "local backtest, not authoritative: a world decides by its own evaluation"

_PERCENT = frozenset({"max_drawdown", "total_return", "cagr", "win_rate", "var_99", "es_99", "volatility", "exposure"})
_ACROSS = 3
_WHOLE = frozenset({"sample_days", "n_trades", "n_bars"})


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """A local backtest: name, replay, and the bars it traded on (for the plot)."""

    name: str
    replay: Replay
    bars: tuple[Bars, ...]

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.replay.metrics

    def to_json(self) -> str:
        """The result as a JSON document; money as decimal strings, times in ISO 8601."""
        return json.dumps({"name": self.name, "authoritative": False, "replay": replay_json(self.replay)}, indent=2)

    def plot(self, path: str | Path) -> Path:
        """Draw equity, drawdown and trades on price into a picture file; needs the extra [demo]."""
        from qmtl.sdk.plots import draw_replay

        return draw_replay(self.name, self.replay, self.bars, Path(path))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield f"[bold]{self.name}[/bold]  [dim]{NOT_AUTHORITATIVE}[/dim]"
        yield metrics_table(self.replay.metrics)

    def __str__(self) -> str:
        return render(self)


def replay_json(replay: Replay) -> dict[str, Json]:
    """A replay as JSON; the equity curve as two parallel lists."""
    return {
        "currency": replay.currency,
        "metrics": dict(replay.metrics),
        "equity": {
            "time": [iso(time_ns) for time_ns in replay.time_ns.tolist()],
            "value": [format_decimal(value) for value in replay.equity],
        },
        "fills": [
            {
                "time": iso(fill.time_ns),
                "symbol": fill.symbol,
                "quantity": format_decimal(fill.quantity),
                "price": format_decimal(fill.price),
                "fee": format_decimal(fill.fee),
                "fee_currency": fill.fee_currency,
            }
            for fill in replay.fills
        ],
        "refusals": [
            {"time": iso(r.time_ns), "client_order_id": r.client_order_id, "rule": r.rule} for r in replay.refusals
        ],
    }


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


def iso(time_ns: int) -> str:
    return to_datetime(time_ns).isoformat().replace("+00:00", "Z")


def render(item: object, width: int = 100) -> str:
    """Anything rich can show, as plain text."""
    from io import StringIO

    from rich.console import Console

    text = StringIO()
    Console(file=text, width=width, highlight=False).print(item)
    return text.getvalue().rstrip()
