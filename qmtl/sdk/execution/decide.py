"""The decision logic: how changed targets become orders, in a backtest and in a session alike.

All targets of one bar are one decision: what reduces is sent first, and what increases waits until that is filled, so
that it is paid with what the reductions bring, in whatever order the symbols come. A new target first cancels what an
older one left open. Only a change is acted on; what is denied is tried again at the next bar until the target is
reached or changes, unless the denial is final.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from qmtl.sdk.execution.exits import is_exit, protect, with_exits
from qmtl.sdk.execution.legs import CLOSING, REJECTIONS_MAX, Route, Routing, StandingTargets, Waiting, closing_part
from qmtl.sdk.execution.planner import Followed, Leg, Planner, Sized, changes, permitted
from qmtl.sdk.execution.port import (
    WHOLE,
    AskHeldPosition,
    AskOpenOrders,
    AskPermission,
    AskWorkingOrders,
    Cancel,
    Decision,
    DeniedOrder,
    LimitOrder,
    MarketOrder,
    OrderReply,
    Permission,
    Submit,
    Weights,
    ask,
    named_version,
    order_name,
)
from qmtl.sdk.execution.quoting import intent_of, quote
from qmtl.sdk.strategy.assembly import Assembled
from qmtl.sdk.strategy.events import Signal
from qmtl.sdk.strategy.quotes import QuoteRule
from qmtl.sdk.strategy.rules import TradeRule

LEG_TIMEOUT_BARS = 3
"""Bars that a leg waits for the reductions of its decision before the pair is reported as broken."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command node's value at the close of a bar: the target it wants held, and the price it saw.

    `row`: all of it, of a node that quotes.
    """

    node_id: str
    time_ns: int
    target: float
    price: float
    row: tuple[float, ...] = ()


class DecisionLogic:
    """The commands of one strategy, each followed by a planner of its own."""

    def __init__(self, assembled: Assembled, leg_timeout_bars: int = LEG_TIMEOUT_BARS, version: int = 0) -> None:
        self._strategy = assembled.strategy
        self._names = assembled.dag.names
        self._planners = {one.command.node_id: Planner(one) for one in assembled.rules if isinstance(one, TradeRule)}
        self._quoted = {one.command.node_id: one for one in assembled.rules if isinstance(one, QuoteRule)}
        self._signalled = dict.fromkeys(self._planners, 0.0)
        self._waiting: dict[str, Waiting] = {}
        self._weights: Weights | None = None
        self._sent: frozenset[str] = frozenset()
        self._timeout_bars = leg_timeout_bars
        self._routing = Routing(version)
        self._left: set[str] = set()
        self.standing = StandingTargets()

    @property
    def command_nodes(self) -> Iterable[str]:
        """NodeIDs of the command nodes."""
        return self._planners.keys()

    @property
    def settled(self) -> bool:
        """Whether every target was acted on, so that nothing is decided until one changes."""
        return all(planner.last == self._signalled[node_id] for node_id, planner in self._planners.items())

    def is_news(self, commands: Sequence[Command]) -> bool:
        """Whether commands of one bar say anything that was not told and acted on already."""
        for command in commands:
            planner, node_id = self._planners.get(command.node_id), command.node_id
            if planner is None or command.target != self._signalled[node_id] or planner.due(command.target):
                return True
        return False

    @property
    def only(self) -> Followed | None:
        """Where it stands, if one node's targets are all it follows and nothing waits for anything."""
        if len(self._planners) != 1:
            return None
        return next(iter(self.followed), None)

    @property
    def followed(self) -> list[Followed]:
        """Where it stands, node by node; none where it quotes, weighs, or something waits for anything."""
        if self._quoted or self._waiting or self._weights is not None:
            return []
        return [
            Followed(node_id, planner.rule, planner.last, self._signalled[node_id])
            for node_id, planner in self._planners.items()
            if planner.last is not None
        ]

    def resume(self, after: Followed) -> None:
        """Take over which targets of a node were acted on and told."""
        self._planners[after.node_id].last = None if math.isnan(after.acted) else after.acted
        self._signalled[after.node_id] = after.told

    def await_filled(self, symbol: str, target: float, bars: int) -> None:
        """Have a leg wait, for so many bars by now, for reductions that have filled."""
        self._waiting[symbol] = Waiting(target, bars, ())

    def order_name(self, command: Command) -> str:
        """The client order id of the first order that a command may become; empty for one that quotes, which may be
        acted on again.
        """
        planner = self._planners.get(command.node_id)
        return "" if planner is None else order_name(planner.rule.symbol, command.time_ns, self._routing.version)

    def recall(self, sent: frozenset[str]) -> None:
        """Names of orders that an earlier process has sent."""
        self._sent = sent

    def remember(self, command: Command) -> None:
        """Take a command as acted on, without sending anything."""
        self._planners[command.node_id].last = command.target

    def remember_closing(self, command: Command) -> None:
        """Take a command as one of which only the order that closes was sent."""
        self._planners[command.node_id].last = None

    def weigh(self, weights: Weights) -> None:
        """The weights from now on. What is held on a side whose weight has changed is decided on again."""
        before, self._weights = self._weights, weights
        if before is not None:
            for planner in self._planners.values():
                if planner.rule.weighted and planner.last and weights.of(planner.last) != before.of(planner.last):
                    planner.last = None

    def begin(self) -> None:
        """Take no target as acted on, not even that of 0: an earlier session or another version may have left more."""
        for planner in self._planners.values():
            planner.last = None

    def route(self, routes: Mapping[str, Route]) -> None:
        """Whose each symbol is from now on. What comes to this version, or to nobody, is decided on again."""
        for symbol in self._routing.change(routes):
            self._waiting.pop(symbol, None)
            if self._routing.of(symbol) is not Route.OTHERS:
                self._forget(symbol)
            if self._routing.of(symbol) is Route.MINE:
                self._left.discard(symbol)
            else:
                self._left.add(symbol)

    def hear(self, client_order_id: str) -> None:
        """An order of the strategy was worked. What another version has traded of this one's is decided on again."""
        symbols = [planner.rule.symbol for planner in self._planners.values()]
        for symbol in {*symbols, *(rule.symbol for rule in self._quoted.values())}:
            if self._routing.hear(symbol, client_order_id):
                self._forget(symbol)

    def reject(self, client_order_id: str, message: str, time_ns: int) -> DeniedOrder | None:
        """A venue has rejected an order that was taken. Its target is decided on again at the next bar, until so many
        orders toward it were rejected: then it is given up until it changes. An exit is sent again by itself. What is
        told; None: not its own.
        """
        for planner in self._planners.values():
            symbol = planner.rule.symbol
            if named_version(client_order_id, symbol) == self._routing.version:
                if is_exit(client_order_id):
                    message = planner.protection.reject(client_order_id, message)
                elif planner.rejections < REJECTIONS_MAX - 1:
                    planner.rejections, planner.last = planner.rejections + 1, None
                else:
                    planner.rejections += 1
                    message += f" ({planner.rejections} orders rejected: the target is given up until it changes)"
                return DeniedOrder(client_order_id, symbol, "REJECTED", message, time_ns)
        return None

    def _forget(self, symbol: str) -> None:
        for planner in self._planners.values():
            if planner.rule.symbol == symbol:
                planner.last = None

    def _leave(self, time_ns: int) -> Decision[None]:
        """Cancel what this version still has open of symbols that are not its any more, and does not only reduce."""
        while self._left:
            symbol = self._left.pop()
            working = yield from ask(AskWorkingOrders(symbol, time_ns))
            held = (yield from ask(AskHeldPosition(symbol, time_ns))).expected
            for order in working:
                mine = named_version(order.client_order_id, symbol) == self._routing.version
                if mine and closing_part(held, order.open_quantity) != order.open_quantity:
                    yield from ask(Cancel(order.client_order_id, time_ns))
                    self._forget(symbol)

    def decide(self, commands: Sequence[Command]) -> Decision[list[DeniedOrder]]:
        """Tell the strategy of new targets and act on all commands of one bar; what was denied of them."""
        due: list[tuple[Planner, Command]] = []
        denied: list[DeniedOrder] = []
        if self._left and commands:
            yield from self._leave(commands[0].time_ns)
        for command in commands:
            if (quoted := self._quoted.get(command.node_id)) is not None:
                intent = intent_of(command.time_ns, command.row)
                denied += yield from quote(quoted, intent, self._weights or WHOLE, self._sent, self._routing)
                continue
            planner, node_id = self._planners[command.node_id], command.node_id
            if command.target != self._signalled[node_id]:
                self._signalled[node_id] = command.target
                planner.rejections = 0
                self._strategy.on_signal(Signal(self._names[node_id], command.time_ns, command.target))
            if planner.due(command.target):
                due.append((planner, command))
            else:
                self._waiting.pop(planner.rule.symbol, None)  # what it waited for is not wanted any more
        if due:
            weights = self._weights or WHOLE
            decision = _Deciding(self._waiting, self._timeout_bars, weights, self._routing)
            denied += yield from decision.act(due, self.standing)
        known = [(self._planners.get(command.node_id), command.time_ns) for command in commands]
        for planner, time_ns in ((one, at) for one, at in known if one is not None and one.protection.lost):
            denied += yield from protect(planner, time_ns, self._routing.version)
        return denied


class _Deciding:
    """One decision: legs of one bar. `waiting` outlives it, by symbol."""

    def __init__(self, waiting: dict[str, Waiting], timeout_bars: int, weights: Weights, routing: Routing) -> None:
        self._waiting = waiting
        self._routing = routing
        self._weights = weights
        self._timeout_bars = timeout_bars
        self._denied: list[DeniedOrder] = []
        self._reducing: list[tuple[str, str]] = []

    def act(self, due: Sequence[tuple[Planner, Command]], standing: StandingTargets) -> Decision[list[DeniedOrder]]:
        """Ask, size all legs together, and send reductions, turns and increases in this order."""
        for planner, command in due:
            if self._target_waited_for(planner.rule.symbol) != command.target:
                self._waiting.pop(planner.rule.symbol, None)
        legs: list[Leg] = []
        permissions: dict[str, Permission] = {}
        for planner, command in sorted(due, key=lambda one: one[0].rule.symbol):
            asked = yield from ask(AskPermission(planner.rule.symbol))
            permission = standing.narrowed(command.node_id, self._routing.narrowed(planner.rule.symbol, asked))
            if not permission.nothing and (yield from self._is_free(planner, command)):
                permissions[planner.rule.symbol] = permission
                legs.append((yield from self._leg(planner, command)))
        found = yield from changes(legs)
        sized = [permitted(leg, change, permissions[leg.symbol]) for leg, change in zip(legs, found, strict=True)]
        yield from self._send(sized)
        return self._denied

    def _target_waited_for(self, symbol: str) -> float | None:
        waiting = self._waiting.get(symbol)
        return None if waiting is None else waiting.target

    def _is_free(self, planner: Planner, command: Command) -> Decision[bool]:
        """Whether a leg waits for nothing any more; one that has waited too long is given up and told of."""
        waiting = self._waiting.get(planner.rule.symbol)
        if waiting is None:
            return True
        for symbol, name in waiting.reductions:
            if name in (yield from ask(AskOpenOrders(symbol, command.time_ns))):
                self._wait(planner, command, waiting.reductions)
                return False
        return True

    def _leg(self, planner: Planner, command: Command) -> Decision[Leg]:
        """A leg with its older orders cancelled."""
        symbol, time_ns = planner.rule.symbol, command.time_ns
        exits: list[str] = []
        for client_order_id in (yield from ask(AskOpenOrders(symbol, time_ns))):
            if planner.rule.bracket is not None and is_exit(client_order_id):
                exits.append(client_order_id)  # they stay until an order that changes the position is sent
            else:
                yield from ask(Cancel(client_order_id, time_ns))
        held = yield from ask(AskHeldPosition(symbol, time_ns))
        if held.is_flat:  # what they protected is closed by now
            for name in exits:
                yield from ask(Cancel(name, time_ns))
            exits.clear()
        weight = self._weights.of(command.target) if planner.rule.weighted else Decimal(1)
        weight = weight if self._routing.weighs(symbol) else Decimal(0)
        return Leg(
            planner, time_ns, command.target, command.price, held, weight, tuple(exits), self._routing.version,
            reduce_only=self._routing.of(symbol) is not Route.MINE,
        )  # fmt: skip

    def _send(self, sized: Sequence[Sized]) -> Decision[None]:
        for one in sized:
            if not one.quantity:
                one.leg.planner.last = one.leg.target if one.whole else one.leg.planner.last
                self._waiting.pop(one.leg.symbol, None)
            elif one.closing == one.quantity:
                yield from self._reduce(one)
        pure_reductions = bool(self._reducing)
        for one in sized:
            if one.turns:
                yield from self._turn(one, apart=pure_reductions and one.grows)
        for one in sized:
            if one.quantity and not one.closing:
                yield from self._increase(one)

    def _reduce(self, one: Sized) -> Decision[None]:
        leg, order = one.leg, one.order(one.quantity)
        reply = yield from self._submit(leg, order)
        if leg.exits and one.flattens and not reply.denied_by:
            self._wait(leg.planner, leg, [(leg.symbol, order.client_order_id)])  # its exits stay until it has filled
        else:
            self._settle(one, reply)

    def _turn(self, one: Sized, *, apart: bool) -> Decision[None]:
        """Turn a position round by one order. Where that may not pass, others reduce first, exits protect it, or it is
        entered by a limit, close it: the rest is denied and shown, or waits. Exits stay until that has filled.
        """
        leg, settled = one.leg, False
        if not apart and not leg.exits and leg.planner.rule.limit is None:
            reply = yield from self._submit(leg, one.order(one.quantity))
            if not reply.denied_by:
                self._settle(one, reply)
                return
            settled = reply.final
        closing = yield from self._submit(leg, one.order(one.closing, CLOSING))
        if closing.denied_by:
            return
        if settled:
            leg.planner.last = leg.target
        else:
            self._wait(leg.planner, leg, self._reducing)

    def _increase(self, one: Sized) -> Decision[None]:
        if self._reducing:
            self._wait(one.leg.planner, one.leg, self._reducing)
            return
        self._waiting.pop(one.leg.symbol, None)
        reply = yield from self._submit(one.leg, one.leg.entry(one.quantity, one.target))
        self._settle(one, reply)

    def _settle(self, one: Sized, reply: OrderReply) -> None:
        """A leg is done if it was taken as a whole, or if no later bar could take it."""
        if reply.final or (one.whole and not reply.denied_by):
            one.leg.planner.last = one.leg.target
            self._waiting.pop(one.leg.symbol, None)

    def _submit(self, leg: Leg, order: MarketOrder | LimitOrder) -> Decision[OrderReply]:
        closes = closing_part(leg.held.expected, order.quantity)
        # so that exits beside it sell nothing twice, and no gate stops a version that is not routed from closing
        order = replace(order, reduce_only=leg.reduce_only or bool(leg.exits and closes))
        listed = with_exits(leg, order)
        reply = yield from ask(Submit(order) if listed is None else listed)
        if reply.denied_by:
            self._tell(leg.symbol, order.client_order_id, reply.denied_by, reply.message, leg.time_ns)
            return reply
        leg.planner.last = None  # until all of the target is sent: one that returns before that is acted on again
        if listed is not None:
            leg.planner.protection.begin(listed.orders[1:])
            yield from self._end_exits(leg)
        if closes:
            self._reducing.append((leg.symbol, order.client_order_id))
        return reply

    def _end_exits(self, leg: Leg) -> Decision[None]:
        """Cancel the exits of what was held before; the order that is sent has its own."""
        for name in leg.exits:
            yield from ask(Cancel(name, leg.time_ns))

    def _wait(self, planner: Planner, at: Leg | Command, reductions: Sequence[tuple[str, str]]) -> None:
        symbol = planner.rule.symbol
        before = self._waiting.get(symbol)
        bars = 0 if before is None else before.bars + 1
        waiting = Waiting(at.target, bars, tuple(reductions))
        if bars < self._timeout_bars or waiting.closes(symbol):
            self._waiting[symbol] = waiting
            return
        del self._waiting[symbol]
        planner.last = at.target
        names = ", ".join(name for _, name in reductions)
        message = f"{symbol} has waited {bars} bars for {names} of the same decision: its target is given up"
        name = order_name(symbol, at.time_ns, self._routing.version)
        self._tell(symbol, name, "LEG_TIMEOUT", message, at.time_ns)

    def _tell(self, symbol: str, name: str, rule: str, message: str, time_ns: int) -> None:
        self._denied.append(DeniedOrder(name, symbol, rule, message, time_ns))
