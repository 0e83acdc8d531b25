"""The class an author subclasses: nodes built in `setup`, what it trades, and hooks."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Self

from qmtl.core.errors import refused
from qmtl.core.fills import FillEvent
from qmtl.core.identity.canonical import Json
from qmtl.sdk.graph.kinds import TRADING
from qmtl.sdk.graph.vertices import FoldNode, StreamInput, Vertex
from qmtl.sdk.strategy.bracket import Bracket
from qmtl.sdk.strategy.events import Signal
from qmtl.sdk.strategy.rules import ORDER_BRACKET, ORDER_TARGET, Sizing, TradeRule


class Strategy:
    """Subclass it, build nodes in `setup`, name what to trade. `name` is for people; identity is in the nodes."""

    name: str = ""

    _nodes: list[Vertex]
    _rules: list[TradeRule]

    def __new__(cls, *args: object, **options: object) -> Self:
        """With its lists, so that a subclass's `__init__` need not call this one's."""
        made = super().__new__(cls)
        made._nodes, made._rules = [], []
        return made

    @property
    def built_nodes(self) -> tuple[Vertex, ...]:
        """What `setup` has added so far."""
        return tuple(self._nodes)

    @property
    def trade_rules(self) -> tuple[TradeRule, ...]:
        """What `setup` has named to trade so far."""
        return tuple(self._rules)

    def setup(self) -> None:
        """Build the nodes: `self.add_nodes(...)`, `self.trade(...)`."""
        raise refused("E_SETUP", "setup", f"missing in {type(self).__name__}", "a setup method that builds nodes")

    def add_nodes(self, *nodes: Vertex) -> None:
        """Make nodes, and all they read, part of the strategy."""
        self._nodes.extend(nodes)

    def trade(
        self,
        target: Vertex,
        price: StreamInput,
        *,
        sizing: Sizing = Sizing.EQUITY_FRACTION,
        lot: str = "",
        bracket: Bracket | None = None,
    ) -> FoldNode:
        """Hold `target` of the symbol of `price`, by market orders when the target changes.

        The target is in units or a fraction of equity, as `sizing` says; quantities are cut toward zero to `lot`
        (empty: the lot of the instrument). `bracket`: a stop and a target for what is held.
        """
        if target.kind not in TRADING:
            hint = "make one with position_target"
            raise refused("E_NOT_A_DECISION", "target", f"{target.name} ({target.kind.value})", "a decision", hint=hint)
        if any(rule.symbol == price.symbol for rule in self._rules):
            raise refused("E_TRADE_DUPLICATE", "price", price.symbol, "one trade rule per symbol")
        size = _lot(lot) if lot else None
        params: dict[str, Json] = {"symbol": price.symbol, "sizing": sizing.value, "lot": lot}
        kind = ORDER_TARGET
        if bracket is not None:
            kind, params = ORDER_BRACKET, {**params, **bracket.params}
        command = kind.node(params, (target, ""), (price, ""), label="orders")
        self._rules.append(TradeRule(command, price.symbol, sizing, size, bracket))
        self._nodes.append(command)
        return command

    def on_start(self) -> None:
        """Before the first event."""

    def on_signal(self, signal: Signal) -> None:
        """A command node's target changed."""

    def on_fill(self, fill: FillEvent) -> None:
        """One of the strategy's orders was filled, wholly or in part."""

    def on_error(self, error: Exception) -> None:
        """A node or the connection failed; the error is raised or retried after this returns."""

    def on_finish(self) -> None:
        """After the last event."""


def _lot(text: str) -> Decimal:
    try:
        lot = Decimal(text)
    except InvalidOperation:
        lot = Decimal("NaN")
    if not lot.is_finite() or lot <= 0:
        raise refused("E_LOT", "lot", repr(text), "a positive decimal such as 0.0001")
    return lot
