"""Books at closes: what a run booked, put through a ledger once more, has the run's equity at every close."""

from __future__ import annotations

from decimal import Decimal as D
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.backtest.booked import BookedEquity, BookedFill, Entry, booked_equity
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.market.bars import bar_columns
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.models.corporate import Conversion
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.events import Fill, Liquidity
from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.simulation.carry import Payment
from qmtl.core.errors import InvalidRequest, NotReady
from tests.brokerage.domain.backtest.test_order_list import BEGIN_NS, HOUR_NS, TRADED, Case, columns_of, run

X = instrument("X", base="X", quote="USD", lot="1", asset_class=AssetClass.EQUITY)
OWNER = Owner("acc", "w1", "s1")
CENT = 10 ** (currency_scale("USD") - 2)


def timeline(*closes: float) -> Timeline:
    """Hours of X that close so."""
    values = np.array(closes)
    start = BEGIN_NS + HOUR_NS * np.arange(len(closes), dtype=np.int64)
    return Timeline([bar_columns(X, start, HOUR_NS, (values, values, values, values, values))])


def fill(hour: int, side: Side, size: int, price: str, fee: int = 0) -> BookedFill:
    """A fill of the bar that closes at the end of an hour."""
    made = Fill(
        f"t{hour}{side.name}",
        size * 10**X.quantity_scale,
        X.price_units(D(price), "price"),
        fee * CENT,
        "USD",
        Liquidity.TAKER,
        BEGIN_NS,
    )
    return BookedFill(X, side, made, BEGIN_NS + (hour + 1) * HOUR_NS)


def paid(hour: int, amount: int, split: tuple[Fraction, int] | None = None) -> Payment:
    kind = CashKind.SPLIT if split else CashKind.DIVIDEND
    return Payment(OWNER, "X", kind, "USD", amount * CENT, BEGIN_NS + (hour + 1) * HOUR_NS, split=split)


def equity(found: BookedEquity) -> list[int]:
    """In cents."""
    assert not any(one % CENT for one in found.equity.tolist())
    return [one // CENT for one in found.equity.tolist()]


@given(
    seed=st.integers(0, 2**31),
    bars=st.integers(1, 60),
    orders=st.integers(0, 30),
    profile=st.sampled_from([spot("0.001"), margin(4, "0.002", participation="0")]),
)
@settings(max_examples=20)
def test_what_a_run_booked_has_the_runs_equity(seed: int, bars: int, orders: int, profile: object) -> None:
    case = Case(seed, bars, orders, 0.01, 0.0, profile, 100_000)  # type: ignore[arg-type]  # of two profiles
    ran, _ = run(case, every=True)
    fills = [
        BookedFill(TRADED[step.order.symbol], step.order.side, step.event.fill, step.event.at_ns)
        for step in ran.fills
        if step.event.fill is not None
    ]
    if ran.carried or ran.ended:
        return
    found = booked_equity(Timeline(columns_of(case)), "USD", 100_000_00 * CENT, fills)
    assert found.times.tolist() == ran.times.tolist()
    assert found.equity.tolist() == ran.equity.tolist()
    assert found.invested == ran.invested


def test_a_fill_counts_from_its_close_on_and_a_fee_is_paid() -> None:
    found = booked_equity(timeline(10, 11, 12), "USD", 100_00 * CENT, [fill(1, Side.BUY, 2, "10.5", fee=7)])
    assert equity(found) == [100_00, 100_93, 102_93]
    assert found.invested == 2


def test_what_was_held_before_the_first_close_is_held_at_it() -> None:
    found = booked_equity(timeline(10, 11), "USD", 100_00 * CENT, [fill(0, Side.BUY, 1, "9")])
    assert equity(found) == [101_00, 102_00]


def test_payments_and_splits_are_the_books_own() -> None:
    entries: list[Entry] = [
        fill(0, Side.BUY, 3, "10"),
        paid(1, 45),
        paid(2, 250, (Fraction(1, 2), X.price_units(D(5), "p"))),
    ]
    found = booked_equity(timeline(10, 10, 20), "USD", 100_00 * CENT, entries)
    assert equity(found) == [100_00, 100_45, 70_00 + 45 + 250 + 20_00]  # one share of a half for two, the rest paid
    (split,) = found.splits
    assert (split.symbol, split.fills_before, split.held, split.cash) == ("X", 1, D(1), D("2.5"))


def test_shares_that_became_others_are_not_valued() -> None:
    became = Payment(
        OWNER, "X", CashKind.CONVERSION, "USD", 0, BEGIN_NS, conversion=Conversion(None, Fraction(0), 1, 1)
    )
    with pytest.raises(InvalidRequest, match=r"E_ACCOUNT_OTHER_DATA.*became other shares"):
        booked_equity(timeline(10), "USD", 100_00 * CENT, [became])


def test_what_came_after_the_last_close_is_left_out() -> None:
    found = booked_equity(timeline(10), "USD", 100_00 * CENT, [fill(1, Side.BUY, 1, "5"), paid(1, 99)])
    assert equity(found) == [100_00]


def test_nothing_is_valued_without_a_bar() -> None:
    with pytest.raises(NotReady, match="E_ACCOUNT_WITHOUT_BARS"):
        booked_equity(timeline(), "USD", 100_00 * CENT, [])
    other = bar_columns(TRADED["Y"], np.array([BEGIN_NS]), HOUR_NS, tuple(np.array([1.0]) for _ in range(5)))  # type: ignore[arg-type]  # five columns
    with pytest.raises(InvalidRequest, match="E_ACCOUNT_OTHER_DATA"):
        booked_equity(Timeline([other]), "USD", 100_00 * CENT, [fill(0, Side.BUY, 1, "5")])
