"""Orders that are taken without the records of their events: whole ones that no rule can refuse, and no others."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.accounts.position import Position
from brokerage.domain.backtest.direct import DirectOrders, Ticket
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.financing import BorrowRate
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.models.source import Dated
from brokerage.domain.orders.order import Side
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.limits import Limits
from tests.brokerage.samples import MINUTE, OWNER

DOLLAR = 10**8
TRADED = replace(instrument("X", base="X", quote="USD", lot="5", price_places=2), quantity_min=0)
SPOT, MARGIN = spot("0", participation="0"), margin(10, "0", participation="0")
BUY = Ticket("o1", "X", Side.BUY, Decimal(10), MINUTE)
SELL = replace(BUY, side=Side.SELL)


def view_of(profile: BrokerageProfile, cash: int = 10_000, held: int = 0) -> AccountView:
    """Dollars, and a position at a price of 100."""
    view = AccountView(profile, Instruments([TRADED]), "USD", {"USD": cash * DOLLAR})
    view.marks["X"] = Mark(100_00, MINUTE)
    if held:
        view.book(OWNER).ledger.restore(TRADED, Position(held, held * 100 * DOLLAR))
    return view


def direct(view: AccountView) -> DirectOrders:
    return DirectOrders(view, view.book(OWNER), OWNER)


@pytest.mark.parametrize(
    ("side", "quantity", "held", "target", "taken"),
    [
        (Side.BUY, 5, 0, None, True),
        (Side.BUY, 3, 0, None, False),  # no whole lot
        (Side.BUY, 0, 0, None, False),
        (Side.BUY, 10, 0, 10, True),
        (Side.BUY, 10, 0, 5, False),  # beyond its target
        (Side.BUY, 10, 5, 15, True),
        (Side.BUY, 10, 5, 10, False),
        (Side.SELL, 10, 5, -5, True),  # closes 5 and opens 5
        (Side.SELL, 10, 5, 0, False),
    ],
)
def test_only_whole_orders_within_their_target_are_taken(
    side: Side, quantity: int, held: int, target: int | None, taken: bool
) -> None:
    wanted = None if target is None else Decimal(target)
    ticket = replace(BUY, side=side, quantity=Decimal(quantity), position_target=wanted)
    made = direct(view_of(MARGIN, held=held))
    assert made.take(ticket) is taken
    assert made.waiting == ("X" if taken else "")


@pytest.mark.parametrize(("cash", "taken"), [(-800, True), (-801, False)])
def test_what_is_opened_is_covered_by_what_the_position_leaves(cash: int, taken: bool) -> None:
    """10 at 100 under a leverage of 10 hold 100; 10 more take the other 100 of an equity of 200."""
    assert direct(view_of(MARGIN, cash, held=10)).take(BUY) is taken


@pytest.mark.parametrize(("available", "taken"), [(None, True), (10, False)])
def test_a_sale_of_what_may_run_out_at_the_lender_is_submitted(available: int | None, taken: bool) -> None:
    lent = replace(MARGIN, borrow={"X": (Dated(0, BorrowRate(available=available)),)})
    assert direct(view_of(lent)).take(SELL) is taken
    assert direct(view_of(lent)).take(BUY)


def test_what_any_rule_might_refuse_is_submitted() -> None:
    assert direct(view_of(SPOT)).take(BUY)
    assert not direct(replace(view_of(SPOT), limits=Limits(order_notional_max=10**18))).take(BUY)
    assert not direct(view_of(SPOT)).take(replace(BUY, symbol="GONE"))
    assert not direct(replace(view_of(SPOT), marks={})).take(BUY)
    assert not direct(view_of(SPOT)).take(replace(BUY, at_ns=2 * MINUTE))  # its price is older
    assert not direct(replace(view_of(SPOT), base_currency="EUR")).take(BUY)
    busy = direct(view_of(SPOT))
    assert busy.take(BUY)
    assert not busy.take(replace(BUY, client_order_id="o2"))
    busy.into_book()
    assert not busy.take(replace(BUY, client_order_id="o2"))  # the first is an open order now


def test_the_next_bar_fills_what_waits_and_nothing_else() -> None:
    view = view_of(SPOT)
    made, bar = direct(view), Bar(MINUTE, 2 * MINUTE, 101_00, 102_00, 99_00, 100_00, 10**9)
    assert made.fill(bar) is None
    assert made.take(BUY)
    found = made.fill(bar)
    assert found is not None
    side, fill = found
    assert (side, fill.quantity, fill.price, made.waiting) == (Side.BUY, 10, 101_00, "")
    assert view.book(OWNER).held("X") == 10
    assert made.fill(bar) is None
