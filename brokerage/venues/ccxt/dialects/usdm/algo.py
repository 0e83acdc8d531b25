"""The algo service of Binance USD-M, where orders wait for a price (since 2025-12-09; before, /fapi/v1/order had them).

Source: developers.binance.com, USDS-Margined Futures, New Algo Order, Query Algo Order and their neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import EventKind, OrderType
from brokerage.venues.ccxt.dialects.dialect import ORDERS_MAX, OutgoingOrder, Row, decimal, price, rows, text, whole
from brokerage.venues.listings import ListedOrder
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, NoSuchOrder

PREFIX = "a"
"""Before a number of the algo service, which counts apart from the orders of the book."""

WEEK_MS = 7 * 86_400_000 - 1
LISTED_MS = 90 * 86_400_000
HUNDRED = 100  # the rate of a trailing stop is in percent

_OURS = re.compile("[a-z2-7]{32}")
UNASKED = {"autoclose-": "LIQUIDATION", "adl_autoclose": "DELEVERAGING", "settlement_autoclose-": "SETTLEMENT"}
"""How the exchange names the orders by which it closes positions itself."""

_TYPES = {
    OrderType.STOP_MARKET: "STOP_MARKET",
    OrderType.STOP_LIMIT: "STOP",
    OrderType.LIMIT_IF_TOUCHED: "TAKE_PROFIT",
    OrderType.TRAILING_STOP: "TRAILING_STOP_MARKET",
}
_ENDED = {"CANCELED": EventKind.CANCELED, "EXPIRED": EventKind.EXPIRED, "REJECTED": EventKind.REJECTED}


async def submit(at: Connection, order: OutgoingOrder, params: Mapping[str, object]) -> Row:
    """Have an order wait."""
    asked = {**params, "algoType": "CONDITIONAL", "type": _TYPES[order.type], "clientAlgoId": order.client_id}
    if order.stop is not None:
        asked["triggerPrice"] = f"{order.stop:f}"
    if order.trail_offset is not None:
        asked["callbackRate"] = f"{(order.trail_offset * HUNDRED).normalize():f}"
    if order.limit is not None:
        asked |= {"price": f"{order.limit:f}", "timeInForce": "GTX" if order.post_only else order.tif.value}
    endpoint = at.exchange.fapiprivate_post_algoorder
    return rows([await at.call(endpoint, asked, purpose=order.purpose, order=True)])[0]


async def cancel(at: Connection, client_id: str) -> bool:
    """End an order that waits; whether there was one."""
    endpoint = at.exchange.fapiprivate_delete_algoorder
    try:
        await at.call(endpoint, {"clientAlgoId": client_id}, purpose=Purpose.CANCEL, order=True)
    except NoSuchOrder:
        return False
    return True


async def order(at: Connection, named: Row) -> Row | None:
    """The row of an order; None where there is none."""
    try:
        return rows([await at.call(at.exchange.fapiprivate_get_algoorder, named, purpose=Purpose.QUERY)])[0]
    except NoSuchOrder:
        return None


async def open_orders(at: Connection, params: Row) -> list[Row]:
    """The rows of those that wait, of a symbol or all."""
    endpoint, weight = at.exchange.fapiprivate_get_openalgoorders, 1 if params else 40
    return rows(await at.call(endpoint, params, purpose=Purpose.RECONCILE, weight=weight))


async def orders(at: Connection, params: Row) -> list[Row]:
    """The rows of a symbol's orders, however they ended: of the last seven days where no time is named."""
    return rows(await at.call(at.exchange.fapiprivate_get_allalgoorders, params, purpose=Purpose.RECONCILE, weight=5))


async def renamed(at: Connection, found: Sequence[ListedOrder]) -> list[ListedOrder]:
    """Orders of the book, those that a triggered one of the algo service has become under its client id."""
    return [one if _is_named(one.client_id) else await _renamed(at, one) for one in found]


async def _renamed(at: Connection, found: ListedOrder) -> ListedOrder:
    """Look for what an order was made of, week by week back, as far as the exchange lists."""
    params = {"symbol": at.exchange.market(found.symbol)["id"], "limit": ORDERS_MAX}
    end_ms = max(at.now_ms(), found.at_ms)
    oldest_ms = end_ms - LISTED_MS
    while end_ms > oldest_ms:
        for row in await orders(at, params | {"startTime": end_ms - WEEK_MS, "endTime": end_ms}):
            if made(row) == found.number:
                return of_made(found, row)
        end_ms -= WEEK_MS + 1
    return found


def _is_named(client_id: str) -> bool:
    """Whether an order has the id that we, or the exchange for a purpose of its own, have given it."""
    return _OURS.fullmatch(client_id) is not None or forced(client_id) != ""


def forced(client_id: str) -> str:
    """Why the exchange itself has sent an order; empty: it has not."""
    return next((why for begin, why in UNASKED.items() if client_id.startswith(begin)), "")


def made(row: Row) -> str:
    """The number of the order that a trigger has made; empty: none yet."""
    found = row.get("actualOrderId")
    return "" if found in (None, "", 0, "0") else text(row, "actualOrderId")


def of_made(found: ListedOrder, row: Row) -> ListedOrder:
    """An order that a trigger has made, as the one that was sent."""
    return replace(
        found,
        client_id=text(row, "clientAlgoId"),
        stop=price(row, "triggerPrice"),
        created_ms=whole(row, "createTime"),
    )


def listed(at: Connection, row: Row) -> ListedOrder:
    """An order that has made none: it waits, or has ended."""
    return ListedOrder(
        client_id=text(row, "clientAlgoId"),
        number=f"{PREFIX}{text(row, 'algoId')}",
        symbol=at.exchange.safe_symbol(text(row, "symbol"), None, None, "swap"),
        side=Side(text(row, "side")),
        quantity=decimal(row, "quantity"),
        limit=price(row, "price"),
        stop=price(row, "triggerPrice"),
        filled=Decimal(0),
        kind=_ENDED.get(text(row, "algoStatus"), EventKind.ACCEPTED),
        reduce_only=row.get("reduceOnly") is True,
        created_ms=whole(row, "createTime"),
        at_ms=whole(row, "updateTime"),
    )
