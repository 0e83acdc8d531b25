"""The result of a session: orders, fills and portfolio as brokerage has them, and the equity curve."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import parse_decimal
from qmtl.core.identity.canonical import Json
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.mesh.wire.text import activation_line, as_json, evaluation_lines, short
from qmtl.sdk.reports.denials import assumption_lines, denial_lines, shortfall
from qmtl.sdk.reports.documents import iso, replay_json
from qmtl.sdk.reports.tables import metrics_table, render
from qmtl.wire.instants import ns_from_proto
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import session_pb2 as sessionpb

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table


@dataclass(frozen=True, slots=True, eq=False)
class SessionResult:
    """A session of one strategy. `retries` counts the calls and streams that were taken up again.

    `bars` are those of each source, as far as they were played; at the closes of `late_ns` nothing was decided, because
    newer ones were known, they were missed, or they were played before this run came. `evaluation` is what the world
    answered to its metrics, at stage PAPER or LIVE. `held` is what the fills come to by the portfolio's time, signed,
    by symbol. Live the equity begins with the account's when this run came, and moves by what the strategy makes.
    `earlier`: the sessions of this run before the world moved the strategy between paper and live, oldest first.
    `not_continued`: why the session that the world moved it to then could not begin here; empty: it was not moved.
    """

    name: str
    owner: Owner
    session: sessionpb.Session
    account: accountpb.Account
    bars: tuple[Bars, ...]
    replay: RunResult
    orders: tuple[orderpb.OrderStatus, ...]
    portfolio: portfoliopb.Portfolio
    activation: activationpb.ActivationEnvelope
    retries: int
    evaluation: evaluationpb.EvaluationRun | None = None
    late_ns: frozenset[int] = frozenset()
    held: Mapping[str, Decimal] = field(default_factory=dict)
    earlier: tuple[SessionResult, ...] = ()
    not_continued: str = ""

    @property
    def strategy_id(self) -> str:
        return self.owner.strategy_id

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.replay.metrics

    @property
    def equity(self) -> Decimal:
        """Equity of the account as brokerage reports it."""
        return parse_decimal(self.portfolio.equity, "portfolio.equity")

    @property
    def is_live(self) -> bool:
        """Whether its orders went to an exchange."""
        return self.session.execution_domain == commonpb.EXECUTION_DOMAIN_LIVE

    @property
    def books_agree(self) -> bool:
        """The curve rebuilt here from the fills ends at brokerage's own equity, to the last digit.

        Live, where others share the account, and where the brokerage has seen later bars by now, its positions of the
        strategy are those that the fills come to.
        """
        if self.replay.equity and (self.is_live or self._portfolio_ns > int(self.replay.time_ns[-1])):
            mine = [one for one in self.portfolio.positions if one.strategy_id == self.strategy_id]
            told = {one.symbol: parse_decimal(one.quantity, "position.quantity") for one in mine}
            return all(told.get(symbol, Decimal(0)) == quantity for symbol, quantity in self.held.items())
        return bool(self.replay.equity) and self.replay.equity[-1] == self.equity

    @property
    def _portfolio_ns(self) -> int:
        return ns_from_proto(self.portfolio.time, "portfolio.time")

    @property
    def _kind(self) -> str:
        return "live" if self.is_live else "on paper"

    def to_json(self) -> str:
        """Everything, as a JSON document: envelopes in proto JSON with the contract's field names."""
        document: dict[str, Json] = {
            "name": self.name,
            "strategy_id": self.strategy_id,
            "world_id": self.owner.world_id,
            "session": as_json(self.session),
            "account": as_json(self.account),
            "portfolio": as_json(self.portfolio),
            "orders": [as_json(status) for status in self.orders],
            "activation": as_json(self.activation),
            "evaluation": as_json(self.evaluation) if self.evaluation else None,
            "books_agree": self.books_agree,
            "retries": self.retries,
            "late": len(self.late_ns),
            "replay": replay_json(self.replay),
            "earlier": [json.loads(one.to_json()) for one in self.earlier],
            "not_continued": self.not_continued,
        }
        return json.dumps(document, indent=2)

    def plot(self, path: str | Path) -> Path:
        """Draw equity, drawdown and trades on price into a picture file; needs the extra [demo]."""
        from qmtl.sdk.reports.plots import draw_replay

        return draw_replay(f"{self.name}, {self._kind} in {self.owner.world_id}", self.replay, self.bars, Path(path))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.markup import escape

        problem = shortfall(self.replay)
        yield (
            f"[bold]{self.name}[/bold] traded {self._kind} as {self.strategy_id} in world {self.owner.world_id}"
            f"{f', [red]{problem}[/red]' if problem else ''}"
        )
        if self.not_continued:
            yield f"[red]the world moved it on, and it was not run there[/red]: {escape(self.not_continued)}"
        yield from assumption_lines(self.replay)
        for bars in self.bars:
            if len(bars):
                first, last = iso(int(bars.open_ns[0])), iso(int(bars.close_ns[-1]))
                yield f"session  {self.session.session_id}: {len(bars):,} bars of {bars.symbol}, {first} to {last}"
        yield fills_table(self.replay)
        agree = "is" if self.books_agree else "is NOT"
        equity = f"{self.portfolio.equity} {self.account.base_currency}"
        yield f"book  equity {equity}; the book {agree} what the fills come to"
        if self.late_ns:
            yield f"late  {len(self.late_ns):,} closes were followed, not acted on"
        yield f"orders  {len(self.orders)}: {orders_line(self.orders)}"
        yield from denial_lines(self.replay)
        yield f"breaks  calls and streams taken up again {self.retries} times"
        yield metrics_table(self.metrics)
        if self.evaluation is not None:
            yield f"{'live' if self.is_live else 'paper'} " + next(lines := evaluation_lines(self.evaluation))
            yield from lines
        yield f"activation  {activation_line(self.activation, self.strategy_id)}"

    def __str__(self) -> str:
        return render(self)


def fills_table(replay: RunResult) -> Table:
    """Fills for rich, newest last."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("fill", "quantity", "price", "fee"):
        table.add_column(column, justify="left" if column == "fill" else "right")
    for fill in replay.fills:
        side = "buy" if fill.quantity > 0 else "sell"
        label = f"{iso(fill.time_ns)} {side} {fill.symbol}"
        table.add_row(label, f"{abs(fill.quantity)}", f"{fill.price:,}", f"{fill.fee:,} {fill.fee_currency}")
    return table


def orders_line(orders: tuple[orderpb.OrderStatus, ...]) -> str:
    """How many orders ended in which state."""
    counts: dict[str, int] = {}
    for status in orders:
        state = short(orderpb.OrderState.Name(status.state), "ORDER_STATE_").lower().replace("_", " ")
        counts[state] = counts.get(state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none"
