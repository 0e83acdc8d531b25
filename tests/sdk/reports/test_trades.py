"""The report of trades: excursions from bars, equity at each close, and the picture."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.core.fills import FillEvent
from qmtl.sdk import Bars
from qmtl.sdk.reports.trades import CashPaid, TradedWith, equity_curve, trade_report
from qmtl.stats.trades import ConversionStep, SplitStep
from tests.sdk.market import START_NS, STEP_NS, walk

BTC = TradedWith({"BTC-USD": ("BTC", "USD")}, {}, D(1000))


def bars(*rows: tuple[float, float, float, float]) -> Bars:
    """Open, high, low, close of bars one after the other."""
    times = START_NS + STEP_NS * np.arange(len(rows), dtype=np.int64)
    return Bars("BTC-USD", 900, times, np.array([(*row, 1.0) for row in rows]))


FOUR = bars((100, 103, 99, 102), (102, 110, 101, 105), (105, 106, 90, 95), (95, 200, 1, 99))


def fill(quantity: str, price: str, bar: int, fee: str = "0", currency: str = "USD") -> FillEvent:
    return FillEvent("BTC-USD", D(quantity), D(price), D(fee), currency, START_NS + bar * STEP_NS, "")


def test_how_far_a_trade_went_is_of_the_bars_within_it() -> None:
    report = trade_report([fill("2", "100", 0), fill("-2", "95", 3)], BTC, [FOUR])
    assert report.reaches == ((D(-20), D(20)),)  # 90 and 110; the last bar, 1 to 200, came after it
    short = trade_report([fill("-2", "100", 0), fill("2", "95", 3)], BTC, [FOUR])
    assert short.reaches == ((D(-20), D(20)),)


def test_bars_that_end_with_the_trade_are_all_of_its_time() -> None:
    report = trade_report([fill("1", "100", 0), fill("-1", "99", 4)], BTC, [FOUR])
    assert report.reaches == ((D(-99), D(100)),)


def test_a_contract_counts_its_multiplier_in_equity() -> None:
    traded = TradedWith(BTC.currencies, {"BTC-USD": D(50)}, D(10_000))
    curve = equity_curve([fill("1", "100", 0)], traded, [FOUR], "USD")
    assert curve.equity.tolist()[:2] == [10_000, 10_000 + 50 * 2]


@pytest.mark.parametrize("known", [[], [FOUR.between(START_NS + 1)], [FOUR.between(None, START_NS + 2 * STEP_NS)]])
def test_where_bars_are_missing_nothing_is_said(known: list[Bars]) -> None:
    assert trade_report([fill("2", "100", 0), fill("-2", "95", 3)], BTC, known).reaches == (None,)


def test_equity_is_the_money_and_what_is_held_at_each_close() -> None:
    fills = [fill("2", "100", 0, "1"), fill("-1", "105", 2, "0.5")]
    curve = equity_curve(fills, BTC, [FOUR], "USD")
    assert curve.time_ns.tolist() == [START_NS + bar * STEP_NS for bar in range(5)]
    # 1000 - 201 and two at their fill, 102, then 105 - 0.5 more and one left, at 105, 95 and 99
    assert curve.equity.tolist() == [999.0, 1003.0, 1008.5, 998.5, 1002.5]
    without = equity_curve(fills, BTC, [], "USD")
    assert without.equity.tolist() == [999.0, 1008.5]


def test_a_fee_in_the_asset_is_not_held() -> None:
    curve = equity_curve([fill("2", "100", 0, "0.5", "BTC")], BTC, [FOUR], "USD")
    assert curve.equity.tolist()[1] == 1000 - 200 + 1.5 * 102


def split(ratio: int, bar: int, held: str, cash: str = "0") -> SplitStep:
    return SplitStep("BTC-USD", 1, START_NS + bar * STEP_NS, Fraction(ratio), D(held), D(cash))


def test_equity_goes_on_over_a_split_and_counts_what_was_paid_by_its_time() -> None:
    """3 at 100, doubled at the close of 102 into 5 and half of 51 in cash; a dividend of 2, one in another money."""
    halves = bars((100, 103, 99, 102), (51, 55, 50, 53), (53, 53, 45, 48))
    paid = [
        CashPaid("dividend", "USD", D(2), START_NS + 2 * STEP_NS),
        CashPaid("dividend", "EUR", D(7), START_NS),
        CashPaid("borrow", "USD", D("-0.5"), START_NS + 3 * STEP_NS),
    ]
    step = split(2, 1, "5", "51")
    curve = equity_curve([fill("3", "100", 0)], BTC, [halves], "USD", [step], paid)
    begin = 1000 - 300
    assert curve.equity.tolist() == [
        begin + 300.0,
        begin + 51 + 5 * 51.0,
        begin + 51 + 5 * 53.0 + 2,
        begin + 51 + 5 * 48.0 + 1.5,
    ]
    two = [fill("3", "100", 0), fill("1", "60", 2)]
    assert equity_curve(two, BTC, [], "USD", [step]).equity.tolist() == [1000.0, begin + 51 - 60 + 6 * 60.0]
    # a close of another symbol, before that of the new shares: the last close, over the ratio
    ether = Bars("ETH-USD", 900, START_NS + STEP_NS * np.arange(2), np.full((2, 5), 10.0))
    late = replace(step, time_ns=step.time_ns + 1)
    pairs = replace(BTC, currencies={**BTC.currencies, "ETH-USD": ("ETH", "USD")})
    known = equity_curve([fill("3", "100", 0)], pairs, [halves.between(None, START_NS + STEP_NS), ether], "USD", [late])
    assert known.equity.tolist() == [1000.0, begin + 3 * 102.0, begin + 51 + 5 * 51.0]


def test_equity_goes_on_in_the_shares_that_its_own_became() -> None:
    step = ConversionStep("BTC-USD", 1, START_NS + STEP_NS, "ETH-USD", D(6), D(20), Fraction(4, 5))
    traded = TradedWith({"BTC-USD": ("BTC", "USD"), "ETH-USD": ("ETH", "USD")}, {"ETH-USD": D(10)})
    ether = Bars("ETH-USD", 900, START_NS + STEP_NS * np.arange(2), np.full((2, 5), 7.0))
    curve = equity_curve([fill("2", "100", 0)], traded, [FOUR, ether], "USD", [step])
    assert curve.equity.tolist()[:3] == [0.0, -200 + 20 + 6 * 10 * 7.0, -200 + 20 + 6 * 10 * 7.0]


def test_what_was_paid_is_told_by_kind_and_currency() -> None:
    paid = [CashPaid("funding", "USD", D(amount), START_NS) for amount in ("-0.1", "0.25")]
    report = trade_report([], BTC, (), (), [*paid, CashPaid("dividend", "EUR", D(1), START_NS)])
    assert report.paid_totals == {("funding", "USD"): D("0.15"), ("dividend", "EUR"): D(1)}


def test_totals_are_by_currency_and_two_of_them_are_not_drawn_as_one(tmp_path: Path) -> None:
    traded = TradedWith({"BTC-USD": ("BTC", "USD"), "ETH-EUR": ("ETH", "EUR")}, {"ETH-EUR": D(10)})
    euro = [FillEvent("ETH-EUR", D(q), D(p), D(1), "EUR", START_NS, "") for q, p in ((1, 10), (-1, 12))]
    fills = [fill("1", "100", 0, "1"), fill("-1", "90", 1, "1"), *euro]
    report = trade_report(fills, traded)
    assert report.totals == {"USD": (D(-10), D(2)), "EUR": (D(20), D(2))}
    with pytest.raises(InvalidRequest, match="one currency"):
        report.draw("x", fills, [], tmp_path / "x.png")


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_picture_is_drawn_with_bars_and_without(tmp_path: Path, suffix: str, magic: bytes) -> None:
    series = walk(200, 3)
    at = series.open_ns.tolist()
    fills = [
        FillEvent("BTC-USD", D(q), D(repr(float(series.values[bar, 0]))), D(4), "USD", at[bar], "")
        for bar, q in ((10, "0.1"), (60, "-0.1"), (90, "-0.2"), (120, "0.1"), (160, "0.1"))
    ]
    traded = TradedWith({"BTC-USD": ("BTC", "USD")}, {}, D(10_000))
    for known in ([series], []):
        path = trade_report(fills, traded, known).draw("walk", fills, known, tmp_path / f"{len(known)}.{suffix}")
        assert path.read_bytes().startswith(magic)


def test_nothing_traded_is_an_empty_report() -> None:
    report = trade_report([], TradedWith({}, {}))
    assert (report.trades.trades, report.reaches, report.totals) == ((), (), {})
    assert len(equity_curve([], TradedWith({}, {}), [], "").time_ns) == 0
