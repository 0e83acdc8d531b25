"""Steps of a strategy's orders as its `on_order` hears of them."""

from __future__ import annotations

from collections.abc import Iterable

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.orders import states
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import MARGIN_CALL
from brokerage.domain.orders.states import EventKind
from qmtl.sdk.execution.exits import STOP, TARGET, TRAIL
from qmtl.sdk.execution.quoting import ASK, BID
from qmtl.sdk.graph.names import tag_of
from qmtl.sdk.strategy.events import OrderRole, OrderState, OrderUpdate
from qmtl.sdk.strategy.quotes import QuoteRule
from qmtl.sdk.strategy.rules import TradeRule

STATES = {
    EventKind.ACCEPTED: OrderState.ACCEPTED,
    EventKind.CANCELED: OrderState.CANCELED,
    EventKind.EXPIRED: OrderState.EXPIRED,
    EventKind.REJECTED: OrderState.REJECTED,
    EventKind.DENIED: OrderState.DENIED,
}
"""What a strategy hears of; FILLED is told apart by what is left."""

_ROLES = (
    (STOP, OrderRole.STOP_LOSS),
    (TRAIL, OrderRole.TRAILING),
    (TARGET, OrderRole.TAKE_PROFIT),
    (BID, OrderRole.QUOTE),
    (ASK, OrderRole.QUOTE),
)

_MARGIN_CALLS = ("margin-call-", f"{MARGIN_CALL}-")
"""Begin the names of a margin call's orders, on a paper account and in a backtest; symbol and instant follow."""


def order_update(account: SimulatedAccount, event: OrderEvent) -> OrderUpdate | None:
    """What a strategy hears of an event of a simulated account; None: nothing."""
    record = account.book.records[event.order_id]
    state = STATES.get(event.kind)
    if event.kind is EventKind.FILLED:
        whole = event.state is states.OrderState.FILLED  # the record may be further on by now
        state = OrderState.FILLED if whole else OrderState.PARTIALLY_FILLED
    if state is None:
        return None
    name, instrument = record.order.client_order_id, account.instrument(record.order.symbol)
    return OrderUpdate(
        client_order_id=name,
        symbol=instrument.symbol,
        role=role_of(name),
        state=state,
        filled=instrument.quantity_decimal(event.cumulative),
        time_ns=event.received_ns,
        rule=event.denial.value if event.denial else "",
        message=event.detail,
    )


def role_of(client_order_id: str) -> OrderRole:
    """What an order is for, by its name."""
    if client_order_id.startswith(_MARGIN_CALLS):
        return OrderRole.MARGIN_CALL
    return next((role for suffix, role in _ROLES if client_order_id.endswith(suffix)), OrderRole.TARGET)


def symbol_of(client_order_id: str, rules: Iterable[TradeRule | QuoteRule]) -> str:
    """The symbol of an order of a strategy; empty for one that is neither of its rules nor of a margin call."""
    for begin in _MARGIN_CALLS:
        if client_order_id.startswith(begin):
            return client_order_id.removeprefix(begin).rpartition("-")[0]
    named = [rule.symbol for rule in rules if client_order_id.startswith(f"{tag_of(rule.symbol)}-")]
    return max(named, key=len, default="")
