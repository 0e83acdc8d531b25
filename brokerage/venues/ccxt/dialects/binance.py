"""Binance spot: /api/v3. Conditional orders rest natively as STOP_LOSS and STOP_LOSS_LIMIT.

Weights are those of developers.binance.com, binance-spot-api-docs, REST API, as of 2026.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from functools import partial

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import EventKind, OrderType, TimeInForce
from brokerage.domain.orders.venue_traits import SECOND_NS, VenueTraits
from brokerage.venues.ccxt.dialects.dialect import (
    ORDERS_MAX,
    OutgoingOrder,
    Row,
    decimal,
    plain,
    price,
    rows,
    spot_positions,
    text,
    whole,
)
from brokerage.venues.listings import ListedOrder, ListedPayment, ListedTrade
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, NoSuchOrder, VenueRefused

WINDOW_MS = 2_000
TRADES_PAGE = 1_000
NOTHING_DONE = -2022
ONLY_CANCELLED = -2021

SPOT = VenueTraits(
    name="binance",
    types=frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT}),
    times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}),
    native_reduce_only=False,
    order_id_length_max=36,
    acceptance_window_ns=WINDOW_MS * SECOND_NS // 1_000,
    answers_in_commit=False,
    replaces_in_one_act=True,
    holds_sales=True,
    post_only=True,
    profile="binance_spot",
)
OPTIONS: Mapping[str, object] = {
    "fetchMarkets": {"types": ["spot"]},
    "fetchCurrencies": False,
    "fetchMargins": False,
    "recvWindow": WINDOW_MS,
    "defaultType": "spot",
}

_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP_MARKET: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
}
_CREATED = ("time", "workingTime", "transactTime")
_ENDED = {
    "CANCELED": EventKind.CANCELED,
    "PENDING_CANCEL": EventKind.CANCELED,
    "EXPIRED": EventKind.EXPIRED,
    "EXPIRED_IN_MATCH": EventKind.EXPIRED,
    "REJECTED": EventKind.REJECTED,
}


class BinanceSpot:
    """The spot dialect. `trades_page` is how many trades are asked for at once."""

    def __init__(self, trades_page: int = TRADES_PAGE) -> None:
        self._page = trades_page

    @property
    def traits(self) -> VenueTraits:
        return SPOT

    @property
    def lists_per_all(self) -> int:
        return 13  # 6 each, 80 for all

    async def submit(self, at: Connection, order: OutgoingOrder) -> ListedOrder:
        params = _params(at, order)
        row = rows([await at.call(at.exchange.private_post_order, params, purpose=order.purpose, order=True)])[0]
        return _order(at, row)

    async def replace(self, at: Connection, client_id: str, by: OutgoingOrder) -> ListedOrder | None:
        """`order/cancelReplace`, held to an order of which nothing has filled: else the new one might be too much."""
        params = _params(at, by) | {
            "cancelReplaceMode": "STOP_ON_FAILURE",
            "cancelRestrictions": "ONLY_NEW",
            "cancelOrigClientOrderId": client_id,
        }
        answer = await at.call(partial(_swap, at), params, purpose=by.purpose, order=True)
        return None if answer is None else _order(at, rows([rows([answer])[0].get("newOrderResponse")])[0])

    async def told(self, at: Connection) -> None:
        await at.exchange.watch_orders()

    async def payments(self, at: Connection, since_ms: int) -> list[ListedPayment]:
        return []

    async def cancel(
        self, at: Connection, symbol: str, client_id: str, *, conditional: bool = False
    ) -> ListedOrder | None:
        params = {"symbol": at.exchange.market(symbol)["id"], "origClientOrderId": client_id}
        try:
            row = rows([await at.call(at.exchange.private_delete_order, params, purpose=Purpose.CANCEL, order=True)])[0]
        except NoSuchOrder:
            return None
        return _order(at, {**row, "clientOrderId": row.get("origClientOrderId")})

    async def order(
        self, at: Connection, symbol: str, *, client_id: str = "", number: str = "", conditional: bool = False
    ) -> ListedOrder | None:
        params = {"symbol": at.exchange.market(symbol)["id"]}
        params |= {"origClientOrderId": client_id} if client_id else {"orderId": number}
        try:
            row = rows([await at.call(at.exchange.private_get_order, params, purpose=Purpose.QUERY, weight=4)])[0]
        except NoSuchOrder:
            return None
        return _order(at, row)

    async def open_orders(self, at: Connection, symbol: str) -> list[ListedOrder]:
        params = {"symbol": at.exchange.market(symbol)["id"]} if symbol else {}
        weight = 6 if symbol else 80
        found = await at.call(at.exchange.private_get_openorders, params, purpose=Purpose.RECONCILE, weight=weight)
        return [_order(at, row) for row in rows(found)]

    async def orders(self, at: Connection, symbol: str) -> list[ListedOrder]:
        params = {"symbol": at.exchange.market(symbol)["id"], "limit": ORDERS_MAX}
        found = await at.call(at.exchange.private_get_allorders, params, purpose=Purpose.RECONCILE, weight=20)
        return [_order(at, row) for row in rows(found)]

    async def trades(self, at: Connection, symbols: Collection[str], since_ms: int) -> list[ListedTrade]:
        return [trade for symbol in symbols for trade in await self._trades(at, symbol, since_ms)]

    async def _trades(self, at: Connection, symbol: str, since_ms: int) -> list[ListedTrade]:
        """Trades from a time on, page by page: the first by time, each other from the last id on, both of whose sides
        may be ours.
        """
        found: dict[ListedTrade, None] = {}
        params: dict[str, object] = {"symbol": at.exchange.market(symbol)["id"], "limit": self._page}
        params["startTime"] = since_ms
        while True:
            page = rows(await at.call(at.exchange.private_get_mytrades, params, purpose=Purpose.RECONCILE, weight=20))
            found |= dict.fromkeys(_trade(at, row) for row in page)
            if len(page) < self._page:
                return list(found)
            params.pop("startTime", None)
            params["fromId"] = whole(page[-1], "id")

    async def balances(self, at: Connection) -> dict[str, Decimal]:
        answer = await at.call(
            at.exchange.private_get_account, {"omitZeroBalances": "true"}, purpose=Purpose.RECONCILE, weight=20
        )
        held = rows(rows([answer])[0].get("balances"))
        totals = {text(row, "asset"): decimal(row, "free") + decimal(row, "locked") for row in held}
        return {asset: total for asset, total in totals.items() if total}

    async def positions(self, at: Connection) -> dict[str, Decimal]:
        return spot_positions(at, await self.balances(at))

    async def instruments(self, at: Connection) -> list[Instrument]:
        await at.exchange.load_markets()
        answer = await at.call(at.exchange.public_get_exchangeinfo, {}, purpose=Purpose.RECONCILE, weight=20)
        return [_instrument(at, row) for row in rows(rows([answer])[0].get("symbols"))]


async def _swap(at: Connection, params: Mapping[str, object]) -> object:
    """The answer of cancelReplace; None where nothing was done. ccxt reads its two codes of failure as bad answers, at
    an address that it does not know as refusals.
    """
    import ccxt

    try:
        return await at.exchange.private_post_order_cancelreplace(params)
    except (ccxt.BadResponse, ccxt.ExchangeError) as error:
        said = str(error).replace(" ", "")
        if f'"code":{NOTHING_DONE},' in said:
            return None
        if f'"code":{ONLY_CANCELLED},' in said:
            raise VenueRefused(str(error)[:300]) from error
        raise


def _params(at: Connection, order: OutgoingOrder) -> dict[str, object]:
    params: dict[str, object] = {
        "symbol": at.exchange.market(order.symbol)["id"],
        "side": order.side.value,
        "type": "LIMIT_MAKER" if order.post_only else _TYPES[order.type],
        "quantity": f"{order.quantity:f}",
        "newClientOrderId": order.client_id,
        "newOrderRespType": "RESULT",
    }
    if order.limit is not None:
        params["price"] = f"{order.limit:f}"
    if order.stop is not None:
        params["stopPrice"] = f"{order.stop:f}"
    if order.limit is not None and not order.post_only:
        params["timeInForce"] = order.tif.value
    return params


def _order(at: Connection, row: Row) -> ListedOrder:
    return ListedOrder(
        client_id=text(row, "clientOrderId"),
        number=text(row, "orderId"),
        symbol=at.exchange.safe_symbol(text(row, "symbol")),
        side=Side(text(row, "side")),
        quantity=decimal(row, "origQty"),
        limit=price(row, "price"),
        stop=price(row, "stopPrice") if "stopPrice" in row else None,
        filled=decimal(row, "executedQty"),
        kind=_ENDED.get(text(row, "status"), EventKind.ACCEPTED),
        reduce_only=False,
        created_ms=whole(row, next(name for name in _CREATED if name in row)),
        at_ms=whole(row, "transactTime" if "transactTime" in row else "updateTime"),
    )


def _trade(at: Connection, row: Row) -> ListedTrade:
    return ListedTrade(
        trade_id=text(row, "id"),
        number=text(row, "orderId"),
        symbol=at.exchange.safe_symbol(text(row, "symbol")),
        side=Side.BUY if row.get("isBuyer") is True else Side.SELL,
        price=decimal(row, "price"),
        quantity=decimal(row, "qty"),
        fee=decimal(row, "commission"),
        fee_currency=text(row, "commissionAsset"),
        liquidity=Liquidity.MAKER if row.get("isMaker") is True else Liquidity.TAKER,
        at_ms=whole(row, "time"),
    )


def _instrument(at: Connection, row: Row) -> Instrument:
    """A symbol from its filters. Fees in base leave parts of a lot, so balances keep the asset's own places."""
    filters = {text(one, "filterType"): one for one in rows(row.get("filters"))}
    least = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {"minNotional": "0"}
    return instrument(
        at.exchange.safe_symbol(text(row, "symbol")),
        base=text(row, "baseAsset"),
        quote=text(row, "quoteAsset"),
        tick=plain(filters["PRICE_FILTER"], "tickSize"),
        lot=plain(filters["LOT_SIZE"], "stepSize"),
        notional_min=plain(least, "minNotional"),
        quantity_places=whole(row, "baseAssetPrecision"),
        asset_class=AssetClass.CRYPTO,
    )
