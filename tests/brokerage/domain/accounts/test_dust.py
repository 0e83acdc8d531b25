"""Fees in base leave parts of a lot: charged to the last digit, kept in sight, and sold once they are a lot."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import bar_from_doubles
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profiles.crypto import binance_spot
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Side

MINUTE = 60_000_000_000
LOT = Decimal("0.00001")
COIN = instrument("BTCUSDT", base="BTC", quote="USDT", lot="0.00001", asset_class=AssetClass.CRYPTO, quantity_places=8)


class Desk:
    """One account that trades a coin at a constant price, a market order a minute."""

    def __init__(self) -> None:
        self.account = SimulatedAccount(binance_spot(), {"USDT": Decimal(10_000_000)}, instruments=[COIN])
        self.minute = 0
        self.show()

    def show(self) -> None:
        start = self.minute * MINUTE
        self.account.on_bar("BTCUSDT", bar_from_doubles(COIN, start, MINUTE, (4e4, 4e4, 4e4, 4e4, 1e6)))
        self.minute += 1

    def trade(self, side: Side, quantity: Decimal) -> Denial | None:
        order = Order(LOCAL, f"o{self.minute}", "BTCUSDT", side, quantity)
        denial = self.account.submit(order, self.minute * MINUTE)[-1].denial
        self.show()
        return denial


def test_a_small_fee_in_base_is_charged_to_the_last_digit() -> None:
    desk = Desk()
    assert desk.trade(Side.BUY, Decimal("0.001")) is None
    assert desk.account.position("BTCUSDT") == Decimal("0.000999")


def test_dust_is_no_order_until_it_is_a_lot() -> None:
    desk = Desk()
    desk.trade(Side.BUY, Decimal("0.001"))
    assert desk.trade(Side.SELL, Decimal("0.000999")) is Denial.LOT
    assert desk.trade(Side.SELL, Decimal("0.00099")) is None
    assert desk.account.position("BTCUSDT") == Decimal("0.000009")
    desk.trade(Side.BUY, Decimal("0.001"))
    assert desk.trade(Side.SELL, Decimal("0.001")) is None  # 0.001008 with the dust of before
    assert desk.account.position("BTCUSDT") == Decimal("0.000008")
    assert desk.account.portfolio().positions[0].value == Decimal("0.32")


@pytest.mark.parametrize(
    ("quantity", "dust"), [(0, 0), (999, 999), (1_000, 0), (99_900, 900), (-99_900, -900), (-1, -1)]
)
def test_dust_is_what_is_less_than_a_lot(quantity: int, dust: int) -> None:
    assert COIN.dust(quantity) == dust


def test_the_tables_coin_keeps_the_places_of_its_fees() -> None:
    found = Instruments().find("BTCUSDT")
    assert found is not None
    assert (found.quantity_scale, found.quantity_decimal(found.lot)) == (8, LOT)
    coarse: Instrument = instrument("X", base="X", quote="USDT", lot="0.00001")
    assert (coarse.quantity_scale, coarse.lot, coarse.dust(7)) == (5, 1, 0)


@given(st.lists(st.integers(20, 5_000), min_size=1, max_size=8))
def test_all_but_less_than_a_lot_can_always_be_sold(lots: list[int]) -> None:
    desk, bought = Desk(), Decimal(0)
    for quantity in lots:
        assert desk.trade(Side.BUY, quantity * LOT) is None
        bought += quantity * LOT
    held = desk.account.position("BTCUSDT")
    assert held == bought * Decimal("0.999")
    assert desk.trade(Side.SELL, held // LOT * LOT) is None
    assert desk.account.position("BTCUSDT") == held % LOT
