"""The class an author subclasses: nodes built in `setup`, what it trades, and hooks."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Protocol, Self

from qmtl.core.decimals import format_decimal
from qmtl.core.errors import refused
from qmtl.core.fills import FillEvent
from qmtl.core.identity.canonical import Json
from qmtl.sdk.decisions.time_exits import max_bars as held_for
from qmtl.sdk.graph.account_state import PositionState
from qmtl.sdk.graph.kinds import TRADING
from qmtl.sdk.graph.vertices import FoldNode, StreamInput, Vertex
from qmtl.sdk.strategy.bracket import Bracket, Limit
from qmtl.sdk.strategy.events import OrderUpdate, Signal
from qmtl.sdk.strategy.features import PublishRule, publish_rule
from qmtl.sdk.strategy.quotes import ORDER_QUOTE, QuoteRule, units
from qmtl.sdk.strategy.rules import ORDER_BRACKET, ORDER_TARGET, Sizing, TradeRule


class Addition(Protocol):
    """What adds nodes and rules to a strategy (qmtl.sdk.nodesets)."""

    def add_to(self, strategy: Strategy) -> None:
        """Add them, in `setup`."""


class Strategy:
    """Subclass it, build nodes in `setup`, name what to trade. `name` is for people; identity is in the nodes."""

    name: str = ""

    _nodes: list[Vertex]
    _rules: list[TradeRule | QuoteRule]
    _published: list[PublishRule]

    def __new__(cls, *args: object, **options: object) -> Self:
        """With its lists, so that a subclass's `__init__` need not call this one's."""
        made = super().__new__(cls)
        made._nodes, made._rules, made._published = [], [], []
        return made

    @property
    def built_nodes(self) -> tuple[Vertex, ...]:
        """What `setup` has added so far."""
        return tuple(self._nodes)

    @property
    def trade_rules(self) -> tuple[TradeRule | QuoteRule, ...]:
        """What `setup` has named to trade so far."""
        return tuple(self._rules)

    @property
    def publish_rules(self) -> tuple[PublishRule, ...]:
        """What `setup` has named to publish so far."""
        return tuple(self._published)

    @property
    def hears_orders(self) -> bool:
        """Whether it has an `on_order` of its own."""
        return getattr(self.on_order, "__func__", None) is not Strategy.on_order  # one set on an instance has none

    def setup(self) -> None:
        """Build the nodes: `self.add_nodes(...)`, `self.trade(...)`."""
        raise refused("E_SETUP", "setup", f"missing in {type(self).__name__}", "a setup method that builds nodes")

    def add_nodes(self, *nodes: Vertex | Addition) -> None:
        """Make nodes, and all they read, part of the strategy; of a node set, its rules too."""
        for one in nodes:
            if isinstance(one, Vertex):
                self._nodes.append(one)
            else:
                one.add_to(self)

    def trade(
        self,
        target: Vertex,
        price: StreamInput,
        *,
        sizing: Sizing = Sizing.EQUITY_FRACTION,
        lot: str = "",
        stop_loss: str | Decimal = "",
        take_profit: str | Decimal = "",
        trailing: str | Decimal = "",
        max_bars: int = 0,
        order: Limit | None = None,
        bracket: Bracket | None = None,
        weighted: bool = True,
    ) -> FoldNode:
        """Hold `target` of the symbol of `price`, by orders when the target changes.

        The target is in units or a fraction of equity, as `sizing` says; quantities are cut toward zero to `lot`
        (empty: the lot of the instrument). `stop_loss`, `take_profit`, `trailing`: exits at these fractions of a price
        (Bracket), which may also be given as one value, `bracket`. `max_bars`: close what was held for so many bars,
        2 or more. `order=Limit(offset="0.001")`: enter by a limit order instead of at the market.

        `weighted`: size orders to the weight of the strategy's activation; False leaves it to the brokerage to cut what
        goes beyond, and a weight that falls reduces nothing by itself.

        Raises InvalidRequest: E_NOT_A_DECISION, E_TRADE_DUPLICATE, E_LOT, E_BRACKET, E_FIELD.
        """
        exits = _exits(bracket, stop_loss, take_profit, trailing)
        if target.kind not in TRADING:
            hint = "make one with position_target"
            raise refused("E_NOT_A_DECISION", "target", f"{target.name} ({target.kind.value})", "a decision", hint=hint)
        self._require_first(price)
        size = _lot(lot) if lot else None
        params: dict[str, Json] = {"symbol": price.symbol, "sizing": sizing.value, "lot": lot}
        if max_bars:
            target = held_for(target, self.position(price), max_bars)
        kind = ORDER_TARGET
        if exits is not None or order is not None:
            exit_params, entry_params = exits.params if exits else {}, order.params if order else {}
            kind, params = ORDER_BRACKET, {**params, **_PLAIN, **exit_params, **entry_params}
        command = kind.node(params, (target, ""), (price, ""), label="orders")
        self._rules.append(TradeRule(command, price.symbol, sizing, size, exits, order, weighted))
        self._nodes.append(command)
        return command

    def quote(
        self,
        intent: Vertex,
        price: StreamInput,
        *,
        inventory_max: str | Decimal,
        inventory_min: str | Decimal = "",
        skew: str | Decimal = "1",
        post_only: bool = True,
    ) -> FoldNode:
        """Quote both sides of the symbol of `price` by limit orders, as `signals.quote_intent` says, at every close.

        The inventory stays between `inventory_min` (units; empty: as much short as long, "0": never short) and
        `inventory_max`, both times the weight. Quotes lean against it by `skew` half spreads when it is full. Orders
        that quote the same are left, others cancelled and sent anew; at a close without an intent all are cancelled.

        Quotes rest and never take: one that would trade at once is denied POST_ONLY_CROSSES, all at a venue that has no
        such orders POST_ONLY_UNSUPPORTED. `post_only=False` sends plain limit orders.

        Raises InvalidRequest: E_NOT_A_DECISION, E_TRADE_DUPLICATE, E_FIELD.
        """
        if intent.kind not in TRADING:
            hint = "make one with signals.quote_intent"
            raise refused("E_NOT_A_DECISION", "intent", f"{intent.name} ({intent.kind.value})", "a quote", hint=hint)
        self._require_first(price)
        longest = units("inventory_max", inventory_max, least=Decimal(0))
        shortest = -longest if inventory_min == "" else units("inventory_min", inventory_min)
        if shortest > 0 or longest == shortest:
            raise refused("E_FIELD", "inventory_min", str(inventory_min), f"0 or less, and not {longest}")
        leans = units("skew", skew, least=Decimal(0))
        texts = {"longest": longest, "shortest": shortest, "skew": leans}
        written: dict[str, Json] = {key: format_decimal(one) for key, one in texts.items()}
        params: dict[str, Json] = {"symbol": price.symbol, **written, "post_only": post_only}
        command = ORDER_QUOTE.node(params, (intent, ""), (price, ""), label="quotes")
        self._rules.append(QuoteRule(command, price, longest, shortest, leans, post_only))
        self._nodes.append(command)
        return command

    def _require_first(self, price: StreamInput) -> None:
        if any(rule.symbol == price.symbol for rule in self._rules):
            raise refused("E_TRADE_DUPLICATE", "price", price.symbol, "one trade rule per symbol")

    def position(self, price: StreamInput, *, name: str = "") -> PositionState:
        """What the strategy held of the symbol of `price` at the close of the bar before, as a stream of quantity,
        average price, unrealised profit and bars held (PositionState). It may be used in arithmetic, `@node` functions
        and decisions; what reads it belongs to this strategy alone. The strategy must trade on `price`.
        """
        held = PositionState(price, name=name)
        self._nodes.append(held)
        return held

    def publish(self, factor: str, node: Vertex, *, params: Mapping[str, Json] | None = None, schema: str = "") -> None:
        """Keep the output of a node, a causal stream of one source, as the feature `factor` of the world.

        `Runner.submit` publishes it with the fingerprint of the bars it was computed from; nothing happens in a local
        backtest or where orders are live. Under one key there is one set of rows for ever: `params` says what makes it
        (its settings, the version of its code). `schema`: the registered schema that its rows are compared with.
        """
        rule = publish_rule(factor, node, dict(params or {}), schema)
        if any(
            (one.factor, one.params, one.source.symbol) == (factor, rule.params, rule.source.symbol)
            for one in self._published
        ):
            raise refused("E_FIELD", "factor", f"{factor} twice", "each factor once for the same parameters and symbol")
        self._published.append(rule)
        self._nodes.append(node)

    def on_start(self) -> None:
        """Before the first event."""

    def on_signal(self, signal: Signal) -> None:
        """A command node's target changed."""

    def on_fill(self, fill: FillEvent) -> None:
        """One of the strategy's orders was filled, wholly or in part."""

    def on_order(self, update: OrderUpdate) -> None:
        """A step of one of the strategy's orders: taken, filled, canceled, expired, denied or rejected."""

    def on_error(self, error: Exception) -> None:
        """A node or the connection failed; the error is raised or retried after this returns."""

    def on_finish(self) -> None:
        """After the last event."""


_PLAIN = {"stop": "", "target": "", "trailing": "", "limit_offset": ""}


def _exits(
    bracket: Bracket | None, stop_loss: str | Decimal, take_profit: str | Decimal, trailing: str | Decimal
) -> Bracket | None:
    if stop_loss == "" and take_profit == "" and trailing == "":
        return bracket
    if bracket is not None:
        raise refused("E_BRACKET", "bracket", "given beside stop_loss, take_profit or trailing", "one of the two")
    return Bracket(stop=stop_loss, target=take_profit, trailing=trailing)


def _lot(text: str) -> Decimal:
    try:
        lot = Decimal(text)
    except InvalidOperation:
        lot = Decimal("NaN")
    if not lot.is_finite() or lot <= 0:
        raise refused("E_LOT", "lot", repr(text), "a positive decimal such as 0.0001")
    return lot
