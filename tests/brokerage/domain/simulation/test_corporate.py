"""Splits, dividends, exchanges and delistings through the simulated account. Prices in whole dollars."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.corporate import Delisting, Dividend, ShareExchange, Split
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Side, TrailOffsetType
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.simulation.corporate import ENDED_BY_ENDING, ENDED_BY_SPLIT, SPLIT, acted_before
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import to_ns

MINUTE = 60_000_000_000
STOCK = instrument("X", base="X", quote="USD", price_places=2)
LIMIT = {"type": OrderType.LIMIT, "limit_price": Decimal(90)}
STOP = {"type": OrderType.STOP_MARKET, "stop_price": Decimal(110)}


def bar(minute: int, price: int) -> Bar:
    cents = 100 * price
    return Bar(minute * MINUTE, (minute + 1) * MINUTE, cents, cents, cents, cents, 10**9)


def holding(quantity: int) -> SimulatedAccount:
    """An account of 100,000 that holds a quantity bought or sold at 100."""
    desk = SimulatedAccount(margin(2, fee="0", participation="0"), {"USD": Decimal(100_000)}, instruments=[STOCK])
    desk.on_bar("X", bar(0, 100))
    if quantity:
        desk.submit(order("held", quantity), MINUTE)
        desk.on_bar("X", bar(1, 100))
    return desk


def order(name: str, quantity: int, **fields: object) -> Order:
    side = Side.BUY if quantity > 0 else Side.SELL
    made = Order(LOCAL, name, "X", side, Decimal(abs(quantity)))
    return replace(made, **fields)  # type: ignore[arg-type]  # the test names real fields


@pytest.mark.parametrize(
    ("quantity", "ratio", "price", "held", "cash"),
    [
        (10, Fraction(4), 25, 40, 0),
        (-10, Fraction(4), 25, -40, 0),
        (25, Fraction(1, 10), 1000, 2, 500),  # half a new share is paid out
        (-25, Fraction(1, 10), 1000, -2, -500),
        (7, Fraction(3, 2), 67, 10, 33.5),
    ],
)
def test_a_split_keeps_equity_and_pays_a_part_of_a_share(
    quantity: int, ratio: Fraction, price: int, held: int, cash: float
) -> None:
    desk = holding(quantity)
    before = desk.cash("USD")
    _, paid = desk.act(Split("X", 2 * MINUTE, ratio), 100 * price)
    assert (desk.position("X"), desk.cash("USD") - before) == (Decimal(held), Decimal(str(cash)))
    assert sum(payment.amount for payment in paid) == cash * 10**8
    assert desk.equity("USD") - before == price * abs(quantity) * ratio * (1 if quantity > 0 else -1)


def test_an_action_is_of_the_first_bar_that_opens_with_it_or_after() -> None:
    inside = Split("X", 2 * MINUTE + 1, Fraction(2))
    assert acted_before(STOCK, bar(2, 100), [inside]) == []
    assert acted_before(STOCK, bar(3, 100), [inside]) == [inside]
    day = Bar(to_ns(datetime(2024, 11, 26, tzinfo=UTC)), to_ns(datetime(2024, 11, 27, tzinfo=UTC)), 1, 1, 1, 1, 0)
    opens = to_ns(datetime(2024, 11, 26, 14, 30, tzinfo=UTC))
    listed, at_open, after = (
        replace(STOCK, calendar="XNYS"),
        replace(inside, at_ns=opens),
        replace(inside, at_ns=opens + 1),
    )
    assert acted_before(listed, day, [at_open, after]) == [at_open]
    with pytest.raises(InvalidRequest, match="E_FIELD"):
        acted_before(STOCK, day, [after])  # whether it opened before, no calendar says


def test_a_dividend_is_paid_to_longs_and_by_shorts() -> None:
    for quantity, cash in ((10, Decimal("2.5")), (-10, Decimal("-2.5")), (0, Decimal(0))):
        desk = holding(quantity)
        before = desk.cash("USD")
        _, paid = desk.act(Dividend("X", 2 * MINUTE, Decimal("0.25")), 100_00)
        assert desk.cash("USD") - before == cash
        assert len(paid) == bool(quantity)


def test_open_orders_keep_their_value_over_a_split() -> None:
    desk = holding(0)
    desk.submit(order("limit", 10, **LIMIT), 2 * MINUTE)
    desk.submit(order("stop", 10, **STOP), 2 * MINUTE)
    held = desk.view.committed("USD")
    events, _ = desk.act(Split("X", 3 * MINUTE, Fraction(2)), 50_00)
    assert {event.detail for event in events} == {SPLIT}
    assert (desk.record("limit").quantity, desk.record("limit").limit) == (20, 45_00)
    assert desk.view.committed("USD") == held
    assert (desk.record("stop").quantity, desk.record("stop").stop) == (20, 55_00)
    # to a tick no nearer than the stop was, and no better than the limit
    desk.act(Split("X", 4 * MINUTE, Fraction(3)), 16_67)
    assert (desk.record("limit").limit, desk.record("stop").stop) == (15_00, 18_34)


@pytest.mark.parametrize(
    ("side", "limit", "trigger"),
    [(1, 33_33, 30_00), (-1, 33_34, 36_67)],
)
def test_a_limit_if_touched_waits_over_a_split_for_no_worse_a_price(side: int, limit: int, trigger: int) -> None:
    """A purchase is triggered by a fall: 90 / 3 and, of a sale, 110 / 3, to a tick further from the price."""
    desk = holding(0)
    prices = {"limit_price": Decimal(100), "stop_price": Decimal(90 if side > 0 else 110)}
    desk.submit(order("touched", side * 10, type=OrderType.LIMIT_IF_TOUCHED, **prices), 2 * MINUTE)
    desk.act(Split("X", 3 * MINUTE, Fraction(3)), 33_00)
    assert (desk.record("touched").limit, desk.record("touched").stop) == (limit, trigger)
    low = holding(0)
    prices["stop_price"] = Decimal("90.01") if side > 0 else Decimal("110.02")
    low.submit(order("touched", side * 10, type=OrderType.LIMIT_IF_TOUCHED, **prices), 2 * MINUTE)
    low.act(Split("X", 3 * MINUTE, Fraction(3)), 33_00)
    assert low.record("touched").stop == (30_00 if side > 0 else 36_68)


def test_what_is_left_of_an_order_is_split_and_what_was_filled_is_not() -> None:
    profile = margin(2, fee="0")  # a tenth of the volume
    desk = SimulatedAccount(profile, {"USD": Decimal(100_000)}, instruments=[STOCK])
    desk.on_bar("X", bar(0, 100))
    desk.submit(order("part", 10, type=OrderType.LIMIT, limit_price=Decimal(101)), MINUTE)
    desk.on_bar("X", replace(bar(1, 100), volume=40))
    desk.act(Split("X", 2 * MINUTE, Fraction(3, 2)), 67_00)
    split = desk.record("part")
    assert (split.filled, split.quantity, split.limit, split.worst) == (4, 4 + 9, 67_33, 67_34)
    assert desk.position("X") == 6
    desk.act(Split("X", 3 * MINUTE, Fraction(1)), 67_00)
    assert (desk.record("part").quantity, desk.record("part").limit) == (13, 67_33)


def test_orders_that_name_the_old_shares_end_with_a_split() -> None:
    trail = {"type": OrderType.TRAILING_STOP, "trail_offset": Decimal(5), "trail_offset_type": TrailOffsetType.PRICE}
    for ratio, fields in ((Fraction(1, 10), LIMIT), (Fraction(4), trail)):
        desk = holding(0)
        desk.submit(order("open", 10, **fields), 2 * MINUTE)
        [event], _ = desk.act(Split("X", 3 * MINUTE, ratio), 100_00)
        assert (desk.record("open").state, event.detail) == (OrderState.CANCELED, ENDED_BY_SPLIT)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["trade", "trade", "split", "dividend"]),
        st.integers(-30, 30).filter(bool),
        st.integers(20, 200),
        st.sampled_from([Fraction(2), Fraction(3, 2), Fraction(1, 3), Fraction(7, 5)]),
    ),
    max_size=20,
)


@settings(max_examples=30)
@given(ACTS)
def test_the_identity_holds_over_any_history_of_trades_splits_and_dividends(
    acts: list[tuple[str, int, int, Fraction]],
) -> None:
    desk, dividends, minute = holding(0), 0, 1
    for kind, quantity, price, ratio in acts:
        minute += 1
        if kind == "trade":
            desk.submit(order(f"o{minute}", quantity), minute * MINUTE)
        elif kind == "split":
            desk.act(Split("X", minute * MINUTE, ratio), 100 * price)
        else:
            _, paid = desk.act(Dividend("X", minute * MINUTE, Decimal(price) / 100), 100 * price)
            dividends += sum(payment.amount for payment in paid)
        desk.on_bar("X", bar(minute, price))
        ledger = desk.book.ledger
        held = ledger.position("X")
        earned = held.realised + STOCK.notional(100 * price, held.quantity) - held.cost - held.fees
        assert ledger.equity("USD", {"X": 100 * price}) == 100_000 * 10**8 + earned + dividends
        lots = desk.lots("X")
        assert sum(lot.quantity for lot in lots.lots) == held.quantity
        assert lots.profit - lots.cost == held.realised - held.cost


NEW = instrument("NEW", base="NEW", quote="USD", price_places=2)


def trading(*quantities: int) -> SimulatedAccount:
    """An account of 100,000 that trades X by one order a minute, at 100, 101 and so on, and knows NEW too."""
    desk = SimulatedAccount(margin(2, fee="0", participation="0"), {"USD": Decimal(100_000)}, instruments=[STOCK, NEW])
    desk.on_bar("X", bar(0, 100))
    for number, quantity in enumerate(quantities, 1):
        desk.submit(order(f"o{number}", quantity), number * MINUTE)
        desk.on_bar("X", bar(number, 99 + number))
    return desk


def test_a_symbol_that_ended_is_not_ordered_and_its_orders_end() -> None:
    desk = trading(10)
    desk.submit(order("limit", 10, **LIMIT), 2 * MINUTE)
    events, paid = desk.end(Delisting("X", 3 * MINUTE))
    assert [(event.detail, desk.record("limit").state) for event in events] == [(ENDED_BY_ENDING, OrderState.CANCELED)]
    assert not paid
    assert desk.position("X") == 10
    denied = desk.submit(order("late", -10), 3 * MINUTE)[-1]
    assert (denied.denial, denied.detail[:57]) == (
        Denial.NOT_TRADABLE,
        "X trades no more since 1970-01-01T00:03:00Z: it was delis",
    )
    assert desk.view.tradable("X", 3 * MINUTE - 1)
    assert not desk.view.tradable("X", 3 * MINUTE)


def test_a_delisting_at_a_price_pays_it_and_one_without_leaves_the_position() -> None:
    desk = trading(10)
    _, paid = desk.end(Delisting("X", 3 * MINUTE, Decimal("1.25")))
    assert [(one.kind.value, one.amount) for one in paid] == [("DELISTING", 1250 * 10**6)]
    assert (desk.position("X"), desk.cash("USD")) == (Decimal(0), Decimal("99012.5"))
    assert desk.lots("X").profit == desk.book.ledger.position("X").realised == -98_750 * 10**6
    kept = trading(10)
    kept.end(Delisting("X", 3 * MINUTE))
    assert (kept.position("X"), kept.equity("USD")) == (Decimal(10), Decimal(100_000))


def test_lots_go_over_into_the_new_shares_with_their_cost_and_their_times() -> None:
    desk = trading(10, 5, -4)  # of the first lot 6 are left
    desk.end(ShareExchange("X", 5 * MINUTE, "NEW", Fraction(1, 2), Decimal(3)))
    assert desk.position("X") == 11  # until there is a price of NEW
    before = desk.cash("USD")
    [payment] = desk.exchange(ShareExchange("X", 5 * MINUTE, "NEW", Fraction(1, 2), Decimal(3)), 200_00)
    # 5 and a half: 33 in cash and 100 for the half; the new shares are worth 1,000 of 1,133
    assert (desk.position("X"), desk.position("NEW"), desk.cash("USD") - before) == (
        Decimal(0),
        Decimal(5),
        Decimal(133),
    )
    assert payment.moved_symbols == ("X", "NEW")
    lots = desk.lots("NEW").lots
    assert [(lot.quantity, lot.opened_ns) for lot in lots] == [(3, MINUTE), (2, 2 * MINUTE)]
    first, second = (Decimal(lot.cost).scaleb(-8) for lot in lots)
    assert (round(first, 4), round(second, 4)) == (Decimal("529.5675"), Decimal("445.7193"))
    books = [desk.book.ledger.position(symbol) for symbol in ("X", "NEW")]
    of_lots = [desk.lots(symbol) for symbol in ("X", "NEW")]
    assert sum(one.profit - one.cost for one in of_lots) == sum(one.realised - one.cost for one in books)


def test_what_is_short_in_the_new_symbol_is_closed_by_what_comes_in() -> None:
    desk = trading(10)
    desk.on_bar("NEW", bar(2, 50))
    short = Order(LOCAL, "short", "NEW", Side.SELL, Decimal(4))
    desk.submit(short, 3 * MINUTE)
    desk.on_bar("NEW", bar(3, 50))
    action = ShareExchange("X", 4 * MINUTE, "NEW", Fraction(1))
    desk.end(action)
    desk.exchange(action, 100_00)
    held = desk.book.ledger.position("NEW")
    # sold at 50 what had cost 100
    assert (held.quantity, held.cost, held.realised) == (6, 600 * 10**8, -200 * 10**8)
    lots = desk.lots("NEW")
    assert [(lot.quantity, lot.cost, lot.opened_ns) for lot in lots.lots] == [(6, 600 * 10**8, MINUTE)]
    assert lots.profit == -200 * 10**8


def test_a_margin_call_closes_what_can_be_closed() -> None:
    desk = trading(1_990)
    desk.end(Delisting("X", 3 * MINUTE))
    desk.on_bar("X", bar(1, 40))
    desk.view.marks["NEW"] = replace(desk.view.marks["X"], at_ns=4 * MINUTE)
    call = desk.margin_call(4 * MINUTE)
    assert call is not None
    assert call.ruined
    assert not call.reductions
    assert call.message.endswith("everything is closed; not tradable: X")
