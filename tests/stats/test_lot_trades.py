"""Round trips by lots, worked by hand, and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Context
from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.fills import FillEvent
from qmtl.stats.lot_trades import LotTrade, LotTrades, excursions, lot_trades
from qmtl.stats.trades import ConversionStep, ShareStep, SplitStep

PAIRS = {"BTC-USD": ("BTC", "USD"), "ETH-USD": ("ETH", "USD"), "ES": ("", "USD")}


def fill(
    quantity: str, price: str, fee: str = "0", at: int = 0, currency: str = "USD", of: str = "BTC-USD"
) -> FillEvent:
    return FillEvent(of, D(quantity), D(price), D(fee), currency, at, "")


def made(*fills: FillEvent) -> LotTrades:
    return lot_trades(fills, PAIRS, {"ES": D(50)})


def rows(found: LotTrades) -> list[tuple[D, D, D, D, D]]:
    return [(one.quantity, one.entry_price, one.exit_price, one.gross, one.fees) for one in found.trades]


def test_the_oldest_lots_go_first_and_share_the_fees_by_quantity() -> None:
    found = made(fill("2", "100", "2", 10), fill("3", "110", "3", 20), fill("-4", "120", "4", 50))
    assert rows(found) == [
        (D(2), D(100), D(120), D(40), D(2) + D(2)),  # the whole first lot, half of the sale's fee
        (D(2), D(110), D(120), D(20), D(2) + D(2)),  # two thirds of the second lot
    ]
    assert [(one.net, one.held_ns) for one in found.trades] == [(D(36), 40), (D(16), 30)]
    (left,) = found.open_lots["BTC-USD"]
    assert (left.quantity, left.price, left.time_ns, left.fees) == (D(1), D(110), 20, D(1))


def test_nothing_is_rounded_however_many_digits_are_multiplied() -> None:
    size, buys, sells = D("9999999999.99999999"), D("12345678.12345678"), D("12345679.23456789")
    (trade,) = made(fill(str(size), str(buys), "0.00000001"), fill(str(-size), str(sells))).trades
    whole = (int(size.scaleb(8)) * int((sells - buys).scaleb(8))) - 10**8
    assert trade.net == D(whole).scaleb(-16, Context(prec=99))
    worst, best = excursions(trade, [buys - 1], [sells + 1])
    assert (worst, best) == (
        -size,
        D(int(size.scaleb(8)) * int((sells + 1 - buys).scaleb(8))).scaleb(-16, Context(prec=99)),
    )


def test_a_short_gains_from_a_fall_and_a_turn_opens_the_other_side() -> None:
    found = made(fill("-2", "100", "1", 1), fill("5", "90", "5", 2), fill("-3", "95", "3", 3))
    assert rows(found) == [(D(-2), D(100), D(90), D(20), D(3)), (D(3), D(90), D(95), D(15), D(6))]
    assert not found.open_lots


def test_a_fee_in_the_asset_is_sold_at_the_fill_s_price() -> None:
    bought = made(fill("1", "100", "0.1", currency="BTC"), fill("-0.9", "200"))
    assert rows(bought) == [(D("0.9"), D(100), D(200), D(90), D(10))]
    assert bought.trades[0].net == -D(100) + D("0.9") * 200
    sold = made(fill("1", "100"), fill("-0.9", "200", "0.1", currency="BTC"))
    assert rows(sold) == [(D(1), D(100), D(200), D(100), D(20))]
    assert sold.trades[0].net == -D(100) + D("0.9") * 200


def test_a_fee_in_a_third_currency_is_told_beside_the_trades() -> None:
    found = made(fill("1", "100", "0.01", currency="BNB"), fill("-1", "101", "0.02", currency="BNB"))
    assert rows(found) == [(D(1), D(100), D(101), D(1), D(0))]
    assert found.other_fees == {"BNB": D("0.03")}


def test_a_contract_has_its_multiplier_and_symbols_do_not_mix() -> None:
    found = made(
        fill("1", "5000", of="ES"),
        fill("1", "10", of="ETH-USD"),
        fill("-1", "5001", of="ES"),
        fill("-1", "9", of="ETH-USD"),
    )
    assert [(one.symbol, one.gross) for one in found.trades] == [("ES", D(50)), ("ETH-USD", D(-1))]


def test_excursions_are_from_the_entry_on_either_side() -> None:
    long = LotTrade("BTC-USD", D(2), 0, D(100), 9, D(105), D(10), D(0))
    assert excursions(long, [D(97), D(99)], [D(104), D(108)]) == (D(-6), D(16))
    assert excursions(long, [], []) == (D(0), D(10))
    short = LotTrade("ES", D(-1), 0, D(100), 9, D(103), D(-150), D(0))
    assert excursions(short, [D(98)], [D(104)], D(50)) == (D(-200), D(100))


STEPS = st.lists(
    st.tuples(st.integers(-5, 5).filter(bool), st.integers(1, 100), st.integers(0, 7)), min_size=1, max_size=30
)


@given(STEPS)
def test_nets_add_up_to_the_cash_made_once_flat(steps: list[tuple[int, int, int]]) -> None:
    fills = [fill(str(q), str(p), str(f), at=n) for n, (q, p, f) in enumerate(steps)]
    held = sum(quantity for quantity, _, _ in steps)
    if held:
        fills.append(fill(str(-held), "50", "1", at=len(steps)))
    found = made(*fills)
    assert sum(one.net for one in found.trades) == sum(-f.quantity * f.price - f.fee for f in fills)
    assert not found.open_lots
    assert all(one.fees >= 0 and one.held_ns >= 0 for one in found.trades)


def test_a_symbol_nobody_knows_is_no_trade() -> None:
    with pytest.raises(KeyError):
        made(fill("1", "1", of="DOGE-USD"))


def test_a_sale_of_one_account_closes_no_lot_of_another() -> None:
    bought = [replace(fill("2", price, at=at), account=name) for name, price, at in (("a", "100", 1), ("b", "110", 2))]
    found = made(*bought, replace(fill("-1", "120", at=3), account="b"))
    assert rows(found) == [(D(1), D(110), D(120), D(10), D(0))]
    assert [(lot.quantity, lot.price) for lot in found.open_lots["BTC-USD"]] == [(D(2), D(100)), (D(1), D(110))]


def test_parts_of_a_unit_are_lots_like_any_other() -> None:
    found = made(fill("0.5", "100", at=1), fill("0.5", "110", at=2), fill("-0.5", "120", at=3))
    assert rows(found) == [(D("0.5"), D(100), D(120), D(10), D(0))]
    (left,) = found.open_lots["BTC-USD"]
    assert (left.quantity, left.price) == (D("0.5"), D(110))
    assert excursions(found.trades[0], [D(90)], [D(130)]) == (D(-5), D(15))


def test_a_fee_of_a_whole_lot_is_never_cut_and_no_fee_is_in_no_currency() -> None:
    fee = "0.12345678901234567891"
    (trade,) = made(fill("1", "100", fee), fill("-1", "100", "0", currency="BNB")).trades
    assert trade.fees == D(fee)
    assert made(fill("1", "100", "0", currency="BNB")).other_fees == {}


def acted(*steps: ShareStep, fills: Sequence[FillEvent], size: str = "1") -> LotTrades:
    """All lots of the symbols in whole `size`s."""
    return lot_trades(fills, PAIRS, {"ES": D(50)}, steps, {"BTC-USD": D(size), "ETH-USD": D(size)})


def opened(found: LotTrades, symbol: str) -> list[tuple[D, D, int, D, D]]:
    return [(one.quantity, one.price, one.time_ns, one.fees, one.paid) for one in found.open_lots.get(symbol, ())]


def test_lots_go_on_in_the_shares_of_a_split_and_its_rest_is_a_trade() -> None:
    """3 and 4 at 3:2 are 10.5: ten, the first lot 4 of its 4.5, and half a one paid at 70."""
    bought = [fill("3", "100", "3", 10), fill("4", "110", "4", 20)]
    split = SplitStep("BTC-USD", 2, 30, Fraction(3, 2), D(10), D(35))
    found = acted(split, fills=[*bought, fill("-10", "80", "10", 40)])
    kept, gone = D("266.666666666666"), D(300) - D("266.666666666666")
    assert rows(found) == [
        (D("0.5"), gone * 2, D(70), D(35) - gone, D(0)),
        (D(4), D("66.666666666666"), D(80), D(320) - kept, D(3) + D(4)),
        (D(6), D("73.333333333333"), D(80), D(480) - D(440), D(4) + D(6)),
    ]
    assert [one.entry_ns for one in found.trades] == [10, 10, 20]
    assert sum(one.net for one in found.trades) == -300 - 440 + 35 + 800 - 3 - 4 - 10
    whole = acted(SplitStep("BTC-USD", 2, 30, Fraction(2), D(14), D(0)), fills=bought)
    assert opened(whole, "BTC-USD") == [(D(6), D(50), 10, D(3), D(300)), (D(8), D(55), 20, D(4), D(440))]
    assert not whole.trades


def test_a_lot_that_a_reverse_split_leaves_nothing_of_gives_its_cost_to_the_next() -> None:
    sold = [fill("-3", "10", "1", 1), fill("-9", "20", "2", 2)]
    found = acted(SplitStep("BTC-USD", 2, 5, Fraction(1, 4), D(-3), D(0)), fills=[*sold, fill("3", "60", "0", 9)])
    assert rows(found) == [(D(-3), D("-210") / -3, D(60), D(210 - 180), D(3))]
    assert found.trades[0].entry_ns == 2


def test_fees_of_a_lot_that_nothing_is_left_of_go_with_the_one_before_or_with_the_cash() -> None:
    bought = [fill("4", "10", "4", 1), fill("1", "20", "1", 2)]
    split = acted(SplitStep("BTC-USD", 2, 5, Fraction(1, 2), D(2), D(12)), fills=bought)
    assert opened(split, "BTC-USD") == [(D(2), D(20), 1, D(5), D(40))]
    assert rows(split) == [(D("0.5"), D(40), D(24), D(12 - 20), D(0))]
    whole = acted(SplitStep("BTC-USD", 1, 5, Fraction(1, 4), D(0), D(6)), fills=[fill("1", "20", "1", 2)])
    assert rows(whole) == [(D("0.25"), D(80), D(24), D(6 - 20), D(1))]
    assert sum(one.net for one in whole.trades) == -20 + 6 - 1
    assert not whole.open_lots


def test_the_cost_of_a_lot_that_becomes_none_is_in_the_value_of_the_other_contract() -> None:
    """Four and one contracts of 50 a point become two of 1 a point: a cost of 60 points is one of 3,000."""
    bought = [fill("4", "10", of="ES"), fill("1", "20", of="ES")]
    merged = ConversionStep("ES", 2, 7, "ETH-USD", D(2), D(0), Fraction(1), Fraction(1, 2))
    (lot,) = opened(acted(merged, fills=bought), "ETH-USD")
    assert (lot[0], lot[4]) == (D(2), D(3_000))


def test_lots_become_those_of_another_symbol_and_the_cash_beside_is_a_trade() -> None:
    """Each of 10 becomes half a share and 4 in cash, a fifth of its worth: four fifths of the cost go on."""
    bought = [fill("6", "20", "6", 1), fill("4", "30", "4", 2)]
    merged = ConversionStep("BTC-USD", 3, 7, "ETH-USD", D(5), D(40), Fraction(4, 5), Fraction(1, 2))
    short = fill("-1", "50", "1", 3, of="ETH-USD")
    found = acted(merged, fills=[*bought, short, fill("-4", "60", "0", 9, of="ETH-USD")])
    assert [(one.symbol, *row) for one, row in zip(found.trades, rows(found), strict=True)] == [
        ("ETH-USD", D(-1), D(50), D(32), D(18), D(1) + D(2)),  # the first that comes in closes what was short
        ("BTC-USD", D(2), D(24), D(20), D(40) - D(48), D(0)),
        ("ETH-USD", D(2), D(32), D(60), D(56), D(4)),
        ("ETH-USD", D(2), D(48), D(60), D(24), D(4)),
    ]
    assert [one.entry_ns for one in found.trades] == [3, 1, 1, 2]
    assert sum(one.net for one in found.trades) == -120 - 120 + 50 + 40 + 240 - 11


def test_lots_that_end_for_cash_are_trades_and_a_contract_has_its_value() -> None:
    bought = [fill("1", "20", "1", 1), fill("2", "30", "2", 2)]
    ended = acted(ConversionStep("BTC-USD", 2, 7, "", D(0), D(75), Fraction(0)), fills=bought)
    assert rows(ended) == [(D(1), D(20), D(25), D(5), D(1)), (D(2), D(30), D(25), D(-10), D(2))]
    assert not ended.open_lots
    future = fill("-2", "5000", "1", of="ES")
    settled = acted(ConversionStep("ES", 1, 7, "", D(0), D(-498_000), Fraction(0)), fills=[future])
    assert rows(settled) == [(D(-2), D(5000), D(4980), D(2_000), D(1))]
    kept = acted(ConversionStep("ETH-USD", 1, 7, "", D(0), D(5), Fraction(0)), fills=bought)
    assert len(kept.open_lots["BTC-USD"]) == 2


def test_a_step_is_of_the_lots_of_its_account() -> None:
    bought = [replace(fill("2", "100"), account=name) for name in ("a", "b")]
    found = acted(SplitStep("BTC-USD", 2, 5, Fraction(2), D(4), D(0), "b"), fills=bought)
    assert [(lot.quantity, lot.price) for lot in found.open_lots["BTC-USD"]] == [(D(2), D(100)), (D(4), D(50))]
