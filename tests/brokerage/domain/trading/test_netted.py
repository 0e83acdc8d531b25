"""The shares of a netted order, each as an order of its owner."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from brokerage.domain.orders.order import Order, OrderShare, Side
from brokerage.domain.orders.states import OrderType, TimeInForce
from brokerage.domain.trading.netted import order_of_share
from tests.brokerage.samples import OWNER, order

BUYER = OrderShare("w1", "s1", Decimal(5), 1, False)
SELLER = OrderShare("w2", "s2", Decimal(-2), 1, True)
WHOLE = replace(
    order("net", quantity=3, type=OrderType.LIMIT, limit_price=Decimal(100), symbol="AAPL"), shares=(BUYER, SELLER)
)


def terms(whole: Order, share: OrderShare) -> tuple[str, Side, Decimal, OrderType, Decimal | None, bool]:
    """What is asked for whom."""
    own = order_of_share(whole, share)
    assert own.tif is TimeInForce.IOC
    return own.owner.strategy_id, own.side, own.quantity, own.type, own.limit_price, own.reduce_only


def test_the_limit_of_the_whole_is_that_of_the_shares_on_its_side() -> None:
    assert terms(WHOLE, BUYER) == ("s1", Side.BUY, Decimal(5), OrderType.LIMIT, Decimal(100), False)
    assert terms(WHOLE, SELLER) == ("s2", Side.SELL, Decimal(2), OrderType.MARKET, None, True)
    assert order_of_share(WHOLE, SELLER).owner.account == OWNER.account


def test_shares_that_trade_with_each_other_have_no_limit() -> None:
    shares = (BUYER, replace(SELLER, quantity=Decimal(-5)))
    crossing = replace(WHOLE, quantity=Decimal(0), type=OrderType.MARKET, limit_price=None, shares=shares)
    for share in shares:
        assert terms(crossing, share)[3:5] == (OrderType.MARKET, None)
