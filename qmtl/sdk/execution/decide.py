"""The decision logic: how a changed target becomes an order, in a backtest and in a session alike.

A new target first cancels what an older one left open. Only a change is acted on; a denial that says "not now" leaves
the target unreached, so that the next bar tries again, and one that says "not so" stands until the target changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from qmtl.sdk.execution.planner import Planner, order_name
from qmtl.sdk.execution.port import (
    AskHeldPosition,
    AskOpenOrders,
    AskPermission,
    Cancel,
    Decision,
    MarketOrder,
    OrderReply,
    Permission,
    Submit,
    ask,
)
from qmtl.sdk.strategy.assembly import Assembled
from qmtl.sdk.strategy.events import Signal


@dataclass(frozen=True, slots=True)
class Command:
    """A command node's value at the close of a bar: the target it wants held, and the price it saw."""

    node_id: str
    time_ns: int
    target: float
    price: float


class DecisionLogic:
    """The commands of one strategy, each followed by a planner of its own."""

    def __init__(self, assembled: Assembled) -> None:
        self._strategy = assembled.strategy
        self._names = assembled.dag.names
        self._planners = {rule.command.node_id: Planner(rule) for rule in assembled.rules}
        self._signalled = dict.fromkeys(self._planners, 0.0)

    @property
    def command_nodes(self) -> Iterable[str]:
        """NodeIDs of the command nodes."""
        return self._planners.keys()

    def follows(self, node_id: str) -> bool:
        """Whether a node's values are commands of this strategy."""
        return node_id in self._planners

    def order_name(self, command: Command) -> str:
        """The client order id of the one order that a command may become."""
        return order_name(self._planners[command.node_id].rule.symbol, command.time_ns)

    def remember(self, command: Command) -> None:
        """Take a command as acted on, without sending anything."""
        self._planners[command.node_id].last = command.target

    def decide(self, command: Command) -> Decision[OrderReply | None]:
        """Tell the strategy of a new target and act on it; the reply to the order, None where none was sent."""
        planner = self._planners[command.node_id]
        if command.target != self._signalled[command.node_id]:
            self._signalled[command.node_id] = command.target
            self._strategy.on_signal(Signal(self._names[command.node_id], command.time_ns, command.target))
        if command.target == planner.last:
            return None
        return (yield from decide(planner, command))


def decide(planner: Planner, command: Command) -> Decision[OrderReply | None]:
    """What follows from a changed target: nothing where nothing may be sent, else at most one order."""
    before, symbol, time_ns = planner.last, planner.rule.symbol, command.time_ns
    permission = yield from ask(AskPermission(symbol))
    if permission.nothing:
        return None
    for client_order_id in (yield from ask(AskOpenOrders(symbol, time_ns))):
        yield from ask(Cancel(client_order_id, time_ns))
    held = yield from ask(AskHeldPosition(symbol, time_ns))
    order = planner.plan(time_ns, command.target, command.price, held)
    if order is None:
        return None
    permitted = permitted_part(order, held.expected, permission)
    reply = None if permitted is None else (yield from ask(Submit(permitted)))
    if permitted != order or reply is None or reply.transient:
        planner.last = before
    return reply


def permitted_part(order: MarketOrder, held: Decimal, permission: Permission) -> MarketOrder | None:
    """The order as far as it is permitted: whole, or only what closes a position that it would turn round."""
    if permission.allows(held, order.quantity):
        return order
    turns = order.quantity * held < 0 and abs(order.quantity) > abs(held)
    closing = replace(order, quantity=-held)
    return closing if turns and permission.allows(held, closing.quantity) else None
