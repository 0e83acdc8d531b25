"""Round trips: profits add up to what the account made."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.fills import FillEvent
from qmtl.stats.trades import SplitStep, profit_factor, round_trips, win_rate


def fill(quantity: str, price: str, fee: str = "0", currency: str = "USD", at: int = 0) -> FillEvent:
    return FillEvent("BTC-USD", Decimal(quantity), Decimal(price), Decimal(fee), currency, at, "")


def profits(*fills: FillEvent) -> list[float]:
    return [trade.profit for trade in round_trips(fills, "USD")]


def test_long_short_flip_and_partial_closes() -> None:
    assert profits(fill("2", "100", "1"), fill("-2", "110", "1")) == [18.0]
    assert profits(fill("-2", "100"), fill("2", "90")) == [20.0]
    assert profits(fill("2", "100"), fill("-1", "110"), fill("-1", "120")) == [30.0]
    assert profits(fill("1", "100"), fill("1", "200"), fill("-2", "150")) == [0.0]
    assert profits(fill("2", "100"), fill("-3", "110"), fill("1", "100")) == [20.0, 10.0]
    assert profits(fill("2", "100")) == []


def test_a_fee_in_the_asset_lowers_what_was_bought() -> None:
    assert profits(fill("1", "100", "0.5", "BTC"), fill("-0.5", "300")) == pytest.approx([50.0])


@given(st.lists(st.tuples(st.integers(-5, 5).filter(bool), st.integers(1, 100)), min_size=1, max_size=30))
def test_closed_trips_sum_to_the_cash_made(steps: list[tuple[int, int]]) -> None:
    held = sum(quantity for quantity, _ in steps)
    fills = [fill(str(quantity), str(price), "1", at=i) for i, (quantity, price) in enumerate(steps)]
    if held:
        fills.append(fill(str(-held), "50", "1", at=len(steps)))
    cash = sum(-f.quantity * f.price - f.fee for f in fills)
    assert sum(profits(*fills)) == pytest.approx(float(cash))


def test_rates_of_round_trips_by_hand() -> None:
    assert win_rate([1.0, -1.0, 2.0, 0.0]) == 0.5
    assert profit_factor([3.0, -1.0, 1.0, 0.0]) == 4.0
    assert profit_factor([-2.0]) == 0.0
    assert math.isnan(win_rate([]))
    assert math.isnan(profit_factor([1.0]))
    assert math.isnan(profit_factor([]))


def test_each_symbol_has_its_own_round_trips_in_order_of_closing() -> None:
    coins = [FillEvent(symbol, Decimal(n), Decimal(p), Decimal(0), "USD", at, "") for symbol, n, p, at in (
        ("BTC-USD", "1", "100", 1), ("ETH-USD", "2", "10", 2), ("ETH-USD", "-2", "12", 3), ("BTC-USD", "-1", "90", 4),
    )]  # fmt: skip
    assert [(trade.closed_ns, trade.profit) for trade in round_trips(coins, "USD")] == [(3, 4.0), (4, -10.0)]


def test_fees_of_a_flip_belong_to_the_trip_that_closes() -> None:
    assert profits(fill("1", "100", "1"), fill("-2", "110", "2"), fill("1", "110", "4")) == [7.0, -4.0]


def test_a_fee_in_the_asset_of_a_sale_raises_what_is_given() -> None:
    assert profits(fill("3", "100"), fill("-2", "100", "1", "BTC")) == pytest.approx([-100.0])


def test_a_contract_earns_its_multiplier_and_pays_its_fee_once() -> None:
    future = [
        FillEvent("ES", Decimal(n), Decimal(p), Decimal("2.25"), "USD", 1, "") for n, p in ((2, 5000), (-2, 5010))
    ]
    assert [trade.profit for trade in round_trips(future, "USD", {"ES": Decimal(50)})] == [995.5]


def test_a_split_moves_a_trip_to_the_new_shares() -> None:
    def split(ratio: Fraction, held: str, cash: str = "0") -> SplitStep:
        return SplitStep("BTC-USD", 1, 7, ratio, Decimal(held), Decimal(cash))

    def made(first: str, step: SplitStep, *rest: FillEvent) -> list[tuple[int, float]]:
        trips = round_trips([fill(first, "400", "1"), *rest], "USD", steps=[step])
        return [(trade.closed_ns, trade.profit) for trade in trips]

    assert made("100", split(Fraction(4), "400"), fill("-400", "101", "1", at=9)) == [(9, 398.0)]
    assert made("-100", split(Fraction(4), "-400"), fill("400", "101", "1", at=9)) == [(9, -402.0)]
    # 25 become 2 and a half: the half is paid out at 4,100, of its cost of 2,000
    assert made("25", split(Fraction(1, 10), "2", "2050"), fill("-2", "4100", at=9)) == [(9, 249.0)]
    # nothing is left: the trip ends with the split
    assert made("5", split(Fraction(1, 10), "0", "2050"), fill("1", "10", at=9)) == [(7, 49.0)]


def test_a_split_after_the_last_fill_ends_its_trip_and_one_of_nothing_ends_none() -> None:
    held = fill("5", "400", "1")
    gone = SplitStep("BTC-USD", 1, 7, Fraction(1, 10), Decimal(0), Decimal(2050))
    assert [(one.closed_ns, one.profit) for one in round_trips([held], "USD", steps=[gone])] == [(7, 49.0)]
    early = SplitStep("BTC-USD", 0, 1, Fraction(2), Decimal(0), Decimal(0))
    assert round_trips([held], "USD", steps=[early]) == ()


def test_a_small_profit_is_a_profit() -> None:
    assert win_rate([1e-12, -1.0]) == 0.5
    assert profit_factor([2e-10, -1e-10]) == pytest.approx(2.0)
