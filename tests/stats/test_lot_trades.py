"""Round trips by lots, worked by hand, and what they add up to."""

from __future__ import annotations

from dataclasses import replace
from decimal import Context
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.fills import FillEvent
from qmtl.stats.lot_trades import LotTrade, LotTrades, excursions, lot_trades

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
