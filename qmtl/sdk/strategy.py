"""A strategy: nodes built in `setup`, what it trades, and hooks. How and where it runs is never its business.

`assemble` runs `setup` once and answers the checked graph and the trading rules; the same assembled strategy
goes to a local backtest, a submission or a live session unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum

from qmtl.core.dag import SemanticKind
from qmtl.core.identity import Json
from qmtl.sdk import kernels as k
from qmtl.sdk.folds import Fold
from qmtl.sdk.graph import Dag, build_dag
from qmtl.sdk.nodes import FoldNode, StreamInput, Vertex
from qmtl.sdk.words import COMMAND, TRADING, refused


class Sizing(Enum):
    """What a target's number means."""

    UNITS = "units"
    EQUITY_FRACTION = "equity_fraction"


@dataclass(frozen=True, slots=True)
class Signal:
    """A new value of a decision, at the close of the bar that made it."""

    node: str
    time_ns: int
    value: float


@dataclass(frozen=True, slots=True)
class FillEvent:
    """An execution of one of the strategy's orders. `quantity` is signed: negative for a sale."""

    symbol: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    time_ns: int
    trade_id: str


@dataclass(frozen=True, slots=True)
class TradeRule:
    """How one command node becomes orders: the symbol, the meaning of its target, and the lot it is cut to."""

    command: FoldNode
    symbol: str
    sizing: Sizing
    lot: Decimal


class Strategy:
    """Subclass it, build nodes in `setup`, name what to trade. `name` is for people; identity is in the nodes."""

    name: str = ""

    def __init__(self) -> None:
        self._nodes: list[Vertex] = []
        self._rules: list[TradeRule] = []

    def setup(self) -> None:
        """Build the nodes: `self.add_nodes(...)`, `self.trade(...)`."""
        raise refused("E_SETUP", "setup", f"missing in {type(self).__name__}", "a setup method that builds nodes")

    def add_nodes(self, *nodes: Vertex) -> None:
        """Make nodes, and all they read, part of the strategy."""
        self._nodes.extend(nodes)

    def trade(
        self, target: Vertex, price: StreamInput, *, sizing: Sizing = Sizing.EQUITY_FRACTION, lot: str = "0.0001"
    ) -> FoldNode:
        """Hold `target` of the symbol of `price`, by market orders when the target changes.

        The target is in units or a fraction of equity, as `sizing` says; quantities are cut toward zero to `lot`.
        """
        if target.kind not in TRADING:
            hint = "make one with position_target"
            raise refused("E_NOT_A_DECISION", "target", f"{target.name} ({target.kind.value})", "a decision", hint)
        if any(rule.symbol == price.symbol for rule in self._rules):
            raise refused("E_TRADE_DUPLICATE", "price", price.symbol, "one trade rule per symbol")
        size = _lot(lot)
        params: dict[str, Json] = {"symbol": price.symbol, "sizing": sizing.value, "lot": lot}
        command = FoldNode(
            "order.target",
            Fold("order_target", k.copy2_step, (), 0, 2, 2, 1),
            [(target, target.schema.default), (price, price.schema.default)],
            params,
            schema=COMMAND,
            kind=SemanticKind.COMMAND_VALUE,
            label="orders",
        )
        self._rules.append(TradeRule(command, price.symbol, sizing, size))
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


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """A strategy that is set up and checked."""

    strategy: Strategy
    name: str
    dag: Dag
    rules: tuple[TradeRule, ...]


def assemble(strategy: Strategy) -> Assembled:
    """Set a strategy up and check its graph. Raises as build_dag; E_SETUP_TWICE for a used instance."""
    if strategy._nodes:
        raise refused("E_SETUP_TWICE", "strategy", type(strategy).__name__, "a new instance for each run")
    strategy.setup()
    return Assembled(
        strategy, strategy.name or type(strategy).__name__, build_dag(strategy._nodes), tuple(strategy._rules)
    )


def _lot(text: str) -> Decimal:
    try:
        lot = Decimal(text)
    except InvalidOperation:
        lot = Decimal("NaN")
    if not lot.is_finite() or lot <= 0:
        raise refused("E_LOT", "lot", repr(text), "a positive decimal such as 0.0001")
    return lot
