"""Lists are judged whole: what one of their orders takes is not there for the others."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from brokerage.domain.market.instrument import instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.events import EventTime
from brokerage.domain.orders.order import Contingency, Order, Side, order_id
from brokerage.domain.orders.states import EventKind, OrderType
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.trading.order_lists import submit_list
from tests.brokerage.samples import OWNER, STOCK, order

OTHER = instrument("MSFT", base="MSFT", quote="USD", price_places=2)


def entry_with_exit(symbol: str) -> list[Order]:
    """A purchase for 600 dollars and its target."""
    first = order(f"buy {symbol}", quantity=6, type=OrderType.LIMIT, limit_price=Decimal(100), symbol=symbol)
    last = order(f"sell {symbol}", Side.SELL, 6, type=OrderType.LIMIT, limit_price=Decimal(120), symbol=symbol)
    return [
        replace(first, list_id="l1", contingency=Contingency.OTO, linked=(last.client_order_id,)),
        replace(last, list_id="l1", parent=first.client_order_id, reduce_only=True),
    ]


def test_entries_in_two_symbols_do_not_share_the_same_money() -> None:
    marks = {symbol: Mark(100_00, 1, 0) for symbol in ("AAPL", "MSFT")}
    denials = {}
    for cash in (1_000, 1_300):
        view = AccountView(
            BrokerageProfile(), Instruments([STOCK, OTHER]), "USD", cash={"USD": cash * 10**8}, marks=dict(marks)
        )
        orders = [*entry_with_exit("AAPL"), *entry_with_exit("MSFT")]
        submit_list(view, orders, EventTime(2, 2), lambda _: EventKind.ACCEPTED)
        records = [view.book(OWNER).record(order_id(OWNER, one.client_order_id)) for one in orders]
        denials[cash] = [record.denial for record in records]
    assert denials[1_300] == [None] * 4
    assert denials[1_000] == [Denial.LIST_DENIED, Denial.LIST_DENIED, Denial.BALANCE_INSUFFICIENT, Denial.LIST_DENIED]
