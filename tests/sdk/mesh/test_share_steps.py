"""Steps of shares from what the brokerage lists: fills of several accounts, and what a contract was settled for."""

from __future__ import annotations

from decimal import Decimal as D
from fractions import Fraction

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.sdk.mesh.share_steps import share_steps
from qmtl.stats.trades import ConversionStep, SplitStep
from qmtl.wire.instants import ns_to_proto

COIN = instrument("BTC-USD", base="BTC", quote="USD", price_places=2, lot="0.1", quantity_places=2)
STOCK = instrument("AAPL", base="AAPL", quote="USD", price_places=2)
FUTURE = instrument("F", base="F", quote="USD", price_places=2, multiplier="50", asset_class=AssetClass.FUTURE)
KNOWN: dict[str, Instrument] = {one.symbol: one for one in (COIN, STOCK, FUTURE)}


def fill(
    number: int, symbol: str, quantity: str, account: str = "a", fee: str = "0", paid_in: str = "USD"
) -> orderpb.Fill:
    side = orderpb.ORDER_SIDE_SELL if quantity.startswith("-") else orderpb.ORDER_SIDE_BUY
    return orderpb.Fill(
        account=account,
        account_fill_number=number,
        symbol=symbol,
        side=side,
        quantity=quantity.lstrip("-"),
        fee=fee,
        fee_currency=paid_in,
        world_id="w",
        strategy_id="s",
    )


def payment(of: str, before: int, amount: str, account: str = "a", **change: str) -> portfoliopb.Payment:
    return portfoliopb.Payment(
        account=account,
        world_id="w",
        strategy_id="s",
        symbol=of,
        currency="USD",
        amount=amount,
        time=ns_to_proto(9),
        account_fill_number=before,
        change=portfoliopb.ShareChange(**change),
    )


def test_fills_count_up_to_their_number_and_by_account() -> None:
    fills = [fill(1, "AAPL", "5"), fill(4, "AAPL", "2", "b"), fill(2, "AAPL", "-1"), fill(3, "AAPL", "9")]
    paid = [payment("AAPL", 2, "30", ratio="1/3", price="90", symbol="AAPL")]
    paid += [payment("AAPL", 4, "60", "b", ratio="1/3", price="90", symbol="AAPL")]
    assert share_steps(fills, paid, KNOWN) == [
        SplitStep("AAPL", 2, 9, Fraction(1, 3), D(0), D(60), "b"),
        SplitStep("AAPL", 3, 9, Fraction(1, 3), D(1), D(30), "a"),
    ]


def test_a_fee_in_what_was_bought_is_not_held() -> None:
    fills = [fill(1, "BTC-USD", "1", fee="0.05", paid_in="BTC")]
    [step] = share_steps(fills, [payment("BTC-USD", 1, "5", ratio="2", price="50", symbol="BTC-USD")], KNOWN)
    assert step == SplitStep("BTC-USD", 1, 9, Fraction(2), D("1.9"), D(5), "a")


def test_a_contract_is_settled_for_its_value_whatever_was_paid_of_it_before() -> None:
    settled = payment("F", 1, "-300", ratio="0", cash_per_share="104")
    [step] = share_steps([fill(1, "F", "-2")], [settled], KNOWN)
    assert step == ConversionStep("F", 1, 9, "", D(0), D(-10_400), Fraction(0), Fraction(0), "a")


def test_what_changes_no_shares_is_no_step() -> None:
    dividend = portfoliopb.Payment(account="a", symbol="AAPL", amount="3", time=ns_to_proto(9))
    assert share_steps([fill(1, "AAPL", "5")], [dividend], KNOWN) == []
