"""FIFO lots: a worked history, flips, shorts, splits, and their agreement with average cost on random histories."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.accounts.lots import ClosedLot, Lot, LotFill, LotSplit, fifo_book, split_lots, traded_lots
from brokerage.domain.accounts.position import FLAT, traded
from brokerage.domain.market.instrument import Instrument, instrument
from brokerage.domain.models.corporate import split

STOCK = instrument("AAPL", base="AAPL", quote="USD")
COIN = instrument("BTC-USD", base="BTC", quote="USD", lot="0.00000001")
USD = 10**8


def fill(quantity: int, dollars: int, at: int = 0) -> LotFill:
    return LotFill(quantity, dollars * 100 * STOCK.tick, at, f"t{at}")


def test_the_oldest_purchase_is_sold_first() -> None:
    """IRS publication 550, first in first out: 10 at 100 and 30 at 200; 20 sold at 300 earn 10 x 200 + 10 x 100."""
    lots: tuple[Lot, ...] = ()
    for made in (fill(10, 100, 1), fill(30, 200, 2)):
        lots, closed = traded_lots(lots, STOCK, made)
        assert closed == ()
    lots, closed = traded_lots(lots, STOCK, fill(-20, 300, 3))
    assert closed == (
        ClosedLot(10, 1_000 * USD, 3_000 * USD, 1, 3),
        ClosedLot(10, 2_000 * USD, 3_000 * USD, 2, 3),
    )
    assert [one.profit for one in closed] == [2_000 * USD, 1_000 * USD]
    assert lots == (Lot(20, 4_000 * USD, 2, "t2"),)


def test_a_sale_through_zero_closes_all_and_opens_a_short() -> None:
    lots, _ = traded_lots((), STOCK, fill(10, 100, 1))
    lots, closed = traded_lots(lots, STOCK, fill(-25, 120, 2))
    assert [one.profit for one in closed] == [200 * USD]
    assert lots == (Lot(-15, -1_800 * USD, 2, "t2"),)
    lots, closed = traded_lots(lots, STOCK, fill(15, 110, 3))
    assert (lots, [(one.quantity, one.profit) for one in closed]) == ((), [(-15, 150 * USD)])


def test_a_part_of_a_lot_takes_its_part_of_the_cost() -> None:
    lots, closed = traded_lots((Lot(3, 100, 1, "a"),), STOCK, LotFill(-1, 0, 2, "b"))
    assert (lots, closed[0].cost) == ((Lot(2, 67, 1, "a"),), 33)


FILLS = st.lists(st.tuples(st.integers(-1000, 1000).filter(bool), st.integers(1, 10**6)), min_size=1, max_size=25)


@given(FILLS, st.sampled_from([STOCK, COIN]))
def test_lots_agree_with_average_cost_on_quantity_and_with_cash_to_the_unit(
    fills: list[tuple[int, int]], what: Instrument
) -> None:
    lots: tuple[Lot, ...] = ()
    position, paid, realised = FLAT, 0, 0
    for place, (quantity, ticks) in enumerate(fills):
        price = ticks * what.tick
        lots, closed = traded_lots(lots, what, LotFill(quantity, price, place, str(place)))
        realised += sum(one.profit for one in closed)
        position, flow = traded(position, what, quantity, price)
        paid += flow
        assert sum(lot.quantity for lot in lots) == position.quantity
        assert len({lot.quantity > 0 for lot in lots}) <= 1
        assert all(lot.quantity for lot in lots)
        assert realised - sum(lot.cost for lot in lots) == paid == position.realised - position.cost
        assert [lot.opened_ns for lot in lots] == sorted(lot.opened_ns for lot in lots)
    if position.quantity:
        lots, closed = traded_lots(lots, what, LotFill(-position.quantity, what.tick, 99, "end"))
        position, _ = traded(position, what, -position.quantity, what.tick)
        realised += sum(one.profit for one in closed)
    assert lots == ()
    assert realised == position.realised


def test_a_split_goes_through_every_lot() -> None:
    lots = (Lot(10, 1_000, 1, "a"), Lot(30, 6_000, 2, "b"))
    assert split_lots(lots, STOCK, Fraction(4), 160) == (Lot(40, 1_000, 1, "a"), Lot(120, 6_000, 2, "b"))
    assert split_lots((), STOCK, Fraction(4), 0) == ()


def test_a_reverse_split_leaves_whole_lots_and_drops_what_is_paid_out() -> None:
    lots = (Lot(-15, -1_500, 1, "a"), Lot(-8, -1_600, 2, "b"))
    assert split_lots(lots, STOCK, Fraction(1, 10), -2) == (Lot(-1, -1_000, 1, "a"), Lot(-1, -1_600, 2, "b"))
    assert split_lots((Lot(7, 700, 1, "a"),), STOCK, Fraction(1, 10), 0) == ()


@given(FILLS, st.integers(1, 12), st.integers(1, 12))
def test_lots_and_position_have_the_same_quantity_after_a_split(
    fills: list[tuple[int, int]], up: int, down: int
) -> None:
    lots: tuple[Lot, ...] = ()
    position, ratio = FLAT, Fraction(up, down)
    for place, (quantity, ticks) in enumerate(fills):
        lots, _ = traded_lots(lots, STOCK, LotFill(quantity, ticks * STOCK.tick, place, str(place)))
        position, _ = traded(position, STOCK, quantity, ticks * STOCK.tick)
    after = split(position, STOCK, ratio, STOCK.tick).position.quantity
    found = split_lots(lots, STOCK, ratio, after)
    assert sum(lot.quantity for lot in found) == after
    by_trade = {lot.trade_id: lot for lot in lots}
    assert all(abs(lot.cost) <= abs(by_trade[lot.trade_id].cost) for lot in found)


def test_a_split_shares_whole_lots_of_any_size() -> None:
    tens = instrument("X", base="X", quote="USD", lot="10")
    lots = (Lot(50, 500, 1, "a"), Lot(50, 900, 2, "b"))
    assert split_lots(lots, tens, Fraction(3, 5), 60) == (Lot(30, 500, 1, "a"), Lot(30, 900, 2, "b"))
    assert split_lots(lots, tens, Fraction(1, 2), 50) == (Lot(20, 400, 1, "a"), Lot(30, 900, 2, "b"))


def test_a_fold_of_fills_and_splits_says_what_was_earned() -> None:
    """Ten at 100, five sold at 110, 3 for 2, half a share paid with 35, which cost 500 / 7.5 / 2."""
    book = fifo_book(STOCK, [fill(10, 100), fill(-5, 110)])
    assert (book.profit, book.cost, book.paid_profit) == (50 * USD, 500 * USD, 0)
    book = fifo_book(STOCK, [fill(10, 100), fill(-5, 110), LotSplit(Fraction(3, 2), 7, 35 * USD)])
    assert (book.cost, book.paid_profit) == (466_6666_6667, 35 * USD - 33_3333_3333)
