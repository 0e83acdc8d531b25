"""Binance USD-M futures: /fapi. Orders that wait for a price are kept by its algo service until they are triggered, and
are then orders of the book under a number and a client id of their own: here they stay the order that was sent.

Weights and limits are those of developers.binance.com, USDS-Margined Futures, REST API, as of 2026. An order that is
changed by PUT keeps its client id, so a replace is a cancel and a new order, as its outcome is asked for by a new id.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal

import structlog

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.market.margin_tiers import NO_TIERS, MarginTier, MarginTiers
from brokerage.domain.money import RATE_SCALE, currency_scale
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import PositionSide, Side, TrailOffsetType
from brokerage.domain.orders.states import EventKind, OrderType, TimeInForce
from brokerage.domain.orders.venue_traits import SECOND_NS, VenueTraits
from brokerage.venues.ccxt.dialects.dialect import (
    CONDITIONAL,
    ORDERS_MAX,
    OutgoingOrder,
    Row,
    decimal,
    json_number,
    plain,
    price,
    rows,
    text,
    whole,
)
from brokerage.venues.ccxt.dialects.usdm import algo
from brokerage.venues.ccxt.dialects.usdm.listen_key import ListenKey
from brokerage.venues.listings import ListedOrder, ListedPayment, ListedTrade
from qmtl.core.decimals import INT64_MAX, from_scaled, to_scaled
from qmtl.core.errors import Exhausted, InvalidRequest, Unavailable
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, NoSuchOrder, VenueRefused

WINDOW_MS = 2_000
PAGE = 1_000
WEEK_MS = 7 * 86_400_000 - 1
LISTED_MS = 180 * 86_400_000  # trades older than half a year are not listed by time

USDM = VenueTraits(
    name="binanceusdm",
    types=frozenset({OrderType.MARKET, OrderType.LIMIT}) | CONDITIONAL,
    times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}),
    native_reduce_only=True,
    order_id_length_max=36,
    acceptance_window_ns=WINDOW_MS * SECOND_NS // 1_000,
    answers_in_commit=False,
    post_only=True,
    profile="binance_usdm",
)
OPTIONS: Mapping[str, object] = {
    "fetchMarkets": {"types": ["linear"]},
    "fetchCurrencies": False,
    "fetchMargins": False,
    "recvWindow": WINDOW_MS,
    "defaultType": "swap",
    "defaultSubType": "linear",
}

_ENDED = {
    "CANCELED": EventKind.CANCELED,
    "EXPIRED": EventKind.EXPIRED,
    "EXPIRED_IN_MATCH": EventKind.EXPIRED,
    "REJECTED": EventKind.REJECTED,
}

log = structlog.stdlib.get_logger("qmtl.brokerage.venues.ccxt.dialects")


class BinanceUsdm:
    """The USD-M dialect. `page` is how many trades are asked for at once."""

    def __init__(self, page: int = PAGE) -> None:
        self._page = page
        self._key = ListenKey()

    @property
    def traits(self) -> VenueTraits:
        return USDM

    @property
    def lists_per_all(self) -> int:
        return 39  # 1 each of orders and of algo orders, 40 for all

    async def submit(self, at: Connection, order: OutgoingOrder) -> ListedOrder:
        params = await self._params(at, order)
        if order.type in CONDITIONAL:
            return algo.listed(at, await algo.submit(at, order, params))
        params |= {"type": order.type.value, "newClientOrderId": order.client_id, "newOrderRespType": "RESULT"}
        if order.limit is not None:
            params |= {"price": f"{order.limit:f}", "timeInForce": "GTX" if order.post_only else order.tif.value}
        endpoint = at.exchange.fapiprivate_post_order
        return _order(at, rows([await at.call(endpoint, params, purpose=order.purpose, order=True)])[0])

    async def replace(self, at: Connection, client_id: str, by: OutgoingOrder) -> ListedOrder | None:
        return None

    async def cancel(
        self, at: Connection, symbol: str, client_id: str, *, conditional: bool = False
    ) -> ListedOrder | None:
        if not conditional:
            return await self._cancel(at, symbol, {"origClientOrderId": client_id})
        if await algo.cancel(at, client_id):
            return await self.order(at, symbol, client_id=client_id, conditional=True)
        row = await algo.order(at, {"clientAlgoId": client_id})  # triggered, or never there
        if row is None or not algo.made(row):
            return None
        ended = await self._cancel(at, symbol, {"orderId": algo.made(row)})
        return None if ended is None else algo.of_made(ended, row)

    async def _cancel(self, at: Connection, symbol: str, named: dict[str, object]) -> ListedOrder | None:
        params = {"symbol": at.exchange.market(symbol)["id"]} | named
        endpoint = at.exchange.fapiprivate_delete_order
        try:
            return _order(at, rows([await at.call(endpoint, params, purpose=Purpose.CANCEL, order=True)])[0])
        except NoSuchOrder:
            return None

    async def order(
        self, at: Connection, symbol: str, *, client_id: str = "", number: str = "", conditional: bool = False
    ) -> ListedOrder | None:
        if number.startswith(algo.PREFIX):
            return await self._waiting(at, symbol, {"algoId": number.removeprefix(algo.PREFIX)})
        if conditional and client_id:
            return await self._waiting(at, symbol, {"clientAlgoId": client_id})
        found = await self._plain(at, symbol, {"origClientOrderId": client_id} if client_id else {"orderId": number})
        if found is None or client_id:
            return found
        [renamed] = await algo.renamed(at, [found])
        return renamed

    async def _waiting(self, at: Connection, symbol: str, named: dict[str, object]) -> ListedOrder | None:
        """An order of the algo service; once it is triggered, the one that it has made."""
        row = await algo.order(at, named)
        if row is None or not algo.made(row):
            return None if row is None else algo.listed(at, row)
        found = await self._plain(at, symbol, {"orderId": algo.made(row)})
        return algo.listed(at, row) if found is None else algo.of_made(found, row)

    async def _plain(self, at: Connection, symbol: str, named: dict[str, object]) -> ListedOrder | None:
        params = {"symbol": at.exchange.market(symbol)["id"]} | named
        try:
            row = await at.call(at.exchange.fapiprivate_get_order, params, purpose=Purpose.QUERY)
        except NoSuchOrder:
            return None
        return _order(at, rows([row])[0])

    async def open_orders(self, at: Connection, symbol: str) -> list[ListedOrder]:
        """What waits is read first: an order that is triggered meanwhile is then listed twice, not never."""
        params = {"symbol": at.exchange.market(symbol)["id"]} if symbol else {}
        waiting = await algo.open_orders(at, params)
        weight, endpoint = 1 if symbol else 40, at.exchange.fapiprivate_get_openorders
        answer = await at.call(endpoint, params, purpose=Purpose.RECONCILE, weight=weight)
        found = await algo.renamed(at, [_order(at, row) for row in rows(answer)])
        working = {one.client_id for one in found}
        return [*found, *(one for row in waiting if (one := algo.listed(at, row)).client_id not in working)]

    async def orders(self, at: Connection, symbol: str) -> list[ListedOrder]:
        params = {"symbol": at.exchange.market(symbol)["id"], "limit": ORDERS_MAX}
        answer = await at.call(at.exchange.fapiprivate_get_allorders, params, purpose=Purpose.RECONCILE, weight=5)
        waited = {algo.made(row) or text(row, "algoId"): row for row in await algo.orders(at, params)}
        found = [_order(at, row) for row in rows(answer)]
        made = [algo.of_made(one, waited.pop(one.number)) if one.number in waited else one for one in found]
        return sorted([*made, *(algo.listed(at, row) for row in waited.values())], key=lambda one: one.created_ms)

    async def trades(self, at: Connection, symbols: Collection[str], since_ms: int) -> list[ListedTrade]:
        found: dict[ListedTrade, None] = {}
        for symbol in symbols:
            params = {"symbol": at.exchange.market(symbol)["id"], "limit": self._page}
            now_ms = at.now_ms()
            if since_ms < now_ms - LISTED_MS:
                found |= dict.fromkeys(await self._from_id(at, params, 0))
                continue
            start_ms = since_ms
            while start_ms <= now_ms:  # seven days at once, at most
                window = params | {"startTime": start_ms, "endTime": start_ms + WEEK_MS}
                page = await self._page_of(at, window)
                found |= dict.fromkeys(page)
                if len(page) >= self._page:  # the rest by id, whatever its time
                    found |= dict.fromkeys(await self._from_id(at, params, int(page[-1].trade_id)))
                    break
                start_ms += WEEK_MS + 1
        return list(found)

    async def _from_id(self, at: Connection, params: Row, trade_id: int) -> list[ListedTrade]:
        """All trades of a symbol from an id on, both of whose sides may be ours."""
        found: list[ListedTrade] = []
        while True:
            page = await self._page_of(at, dict(params) | {"fromId": trade_id})
            found += page
            if len(page) < self._page:
                return found
            trade_id = int(page[-1].trade_id)

    async def _page_of(self, at: Connection, params: Row) -> list[ListedTrade]:
        answer = await at.call(at.exchange.fapiprivate_get_usertrades, params, purpose=Purpose.RECONCILE, weight=5)
        return [_trade(at, row) for row in rows(answer)]

    async def payments(self, at: Connection, since_ms: int) -> list[ListedPayment]:
        """Funding, which is listed for three months. Pages overlap by a time: one id is one payment. Of one millisecond
        a page is read: what may be beyond it is told, and differs in the balances.
        """
        found: dict[str, ListedPayment] = {}
        start_ms, endpoint = max(since_ms, at.now_ms() - LISTED_MS // 2), at.exchange.fapiprivate_get_income
        while True:
            params = {"incomeType": "FUNDING_FEE", "startTime": start_ms, "endTime": at.now_ms(), "limit": PAGE}
            page = rows(await at.call(endpoint, params, purpose=Purpose.RECONCILE, weight=30))
            found |= {text(row, "tranId"): _payment(at, row) for row in page}
            if len(page) < PAGE:
                return list(found.values())
            last_ms = whole(page[-1], "time")
            if last_ms <= start_ms:
                log.warning("payments_beyond_a_page", exchange=at.exchange.id, at_ms=last_ms, read=len(page))
            start_ms = max(last_ms, start_ms + 1)

    async def balances(self, at: Connection) -> dict[str, Decimal]:
        answer = await at.call(at.exchange.fapiprivatev3_get_balance, {}, purpose=Purpose.RECONCILE, weight=5)
        totals = {text(row, "asset"): decimal(row, "balance") for row in rows(answer)}
        return {asset: total for asset, total in totals.items() if total}

    async def positions(self, at: Connection) -> dict[str, Decimal]:
        """Signed contracts by symbol; in hedge mode both sides together, as the books net them."""
        found: dict[str, Decimal] = {}
        for row in await self._sides(at, {}):
            symbol = at.exchange.safe_symbol(text(row, "symbol"), None, None, "swap")
            found[symbol] = found.get(symbol, Decimal(0)) + decimal(row, "positionAmt")
        return {symbol: quantity for symbol, quantity in found.items() if quantity}

    async def _sides(self, at: Connection, params: Row) -> list[Row]:
        endpoint = at.exchange.fapiprivatev3_get_positionrisk
        return rows(await at.call(endpoint, params, purpose=Purpose.RECONCILE, weight=5))

    async def instruments(self, at: Connection) -> list[Instrument]:
        await at.exchange.load_markets()
        answer = await at.call(at.exchange.fapipublic_get_exchangeinfo, {}, purpose=Purpose.RECONCILE)
        listed = rows(rows([answer])[0].get("symbols"))
        found = [_instrument(at, row) for row in listed if text(row, "contractType") == "PERPETUAL"]
        tiers = await self._tiers(at)
        known = ((one, tiers.get(one.symbol, NO_TIERS)) for one in found)
        return [replace(one, margin_tiers=its) for one, its in known if its is not None]

    async def _tiers(self, at: Connection) -> dict[str, MarginTiers | None]:
        """The margin tiers of the account by symbol. None: they cannot be read, so it is no instrument, and told: its
        margin would be guessed, and one symbol's brackets keep nobody from the others.
        """
        endpoint = at.exchange.fapiprivate_get_leveragebracket
        listed = rows(await at.call(endpoint, {}, purpose=Purpose.RECONCILE))
        found = dict[str, MarginTiers | None]()
        for row in listed:
            market = at.exchange.safe_market(text(row, "symbol"), None, None, "swap")
            symbol = str(market["symbol"])
            try:
                found[symbol] = _tiers_of(str(market["settle"]), row)
            except (Unavailable, InvalidRequest) as error:
                found[symbol] = None
                log.warning("no_instrument_without_margin_brackets", symbol=symbol, error=error.message)
        return found

    async def told(self, at: Connection) -> None:
        await self._key.told(at)

    async def _params(self, at: Connection, order: OutgoingOrder) -> dict[str, object]:
        params: dict[str, object] = {
            "symbol": at.exchange.market(order.symbol)["id"],
            "side": order.side.value,
            "quantity": f"{order.quantity:f}",
            "positionSide": order.position_side.value,
        }
        if order.trail_offset is not None and order.trail_offset_type is not TrailOffsetType.FRACTION:
            raise VenueRefused("the exchange trails by a fraction of the price only")
        if order.reduce_only and order.position_side is PositionSide.BOTH and await self._reduces(at, order):
            params["reduceOnly"] = "true"
        return params

    async def _reduces(self, at: Connection, order: OutgoingOrder) -> bool:
        """Whether the account's net position holds what the order is to reduce: that of its owner may be hidden in it,
        and the exchange would refuse. Where it is not told, the order goes without the flag: brokerage has checked it.
        """
        try:
            sides = await self._sides(at, {"symbol": at.exchange.market(order.symbol)["id"]})
        except (Unavailable, Exhausted, VenueRefused):
            return False
        held = sum((decimal(row, "positionAmt") for row in sides), Decimal(0))
        return -held * order.side.sign >= order.quantity


def _order(at: Connection, row: Row) -> ListedOrder:
    return ListedOrder(
        client_id=text(row, "clientOrderId"),
        number=text(row, "orderId"),
        symbol=at.exchange.safe_symbol(text(row, "symbol"), None, None, "swap"),
        side=Side(text(row, "side")),
        quantity=decimal(row, "origQty"),
        limit=price(row, "price"),
        stop=price(row, "stopPrice"),
        filled=decimal(row, "executedQty"),
        kind=_ENDED.get(text(row, "status"), EventKind.ACCEPTED),
        reduce_only=row.get("reduceOnly") is True,
        created_ms=whole(row, "time" if "time" in row else "updateTime"),
        at_ms=whole(row, "updateTime"),
        forced=algo.forced(text(row, "clientOrderId")),
    )


def _trade(at: Connection, row: Row) -> ListedTrade:
    return ListedTrade(
        trade_id=str(whole(row, "id")),
        number=text(row, "orderId"),
        symbol=at.exchange.safe_symbol(text(row, "symbol"), None, None, "swap"),
        side=Side(text(row, "side")),
        price=decimal(row, "price"),
        quantity=decimal(row, "qty"),
        fee=decimal(row, "commission"),
        fee_currency=text(row, "commissionAsset"),
        liquidity=Liquidity.MAKER if row.get("maker") is True else Liquidity.TAKER,
        at_ms=whole(row, "time"),
    )


def _payment(at: Connection, row: Row) -> ListedPayment:
    return ListedPayment(
        number=text(row, "tranId"),
        symbol=at.exchange.safe_symbol(text(row, "symbol"), None, None, "swap"),
        currency=text(row, "asset"),
        amount=decimal(row, "income"),
        at_ms=whole(row, "time"),
    )


def _tiers_of(currency: str, row: Row) -> MarginTiers:
    """A symbol's brackets. Numbers there are no decimal text: of so few digits that their text is exact. A cap above
    all money there can be, as the last one often has, is that much. Raises Unavailable, InvalidRequest.
    """
    scale = currency_scale(currency)
    most = from_scaled(INT64_MAX, scale)
    return MarginTiers(
        tuple(
            MarginTier(
                to_scaled(min(json_number(one, "notionalCap"), most), scale),
                whole(one, "initialLeverage"),
                to_scaled(json_number(one, "maintMarginRatio"), RATE_SCALE),
                to_scaled(json_number(one, "cum"), scale),
            )
            for one in sorted(rows(row.get("brackets")), key=lambda one: whole(one, "bracket"))
        )
    )


def _instrument(at: Connection, row: Row) -> Instrument:
    filters = {text(one, "filterType"): one for one in rows(row.get("filters"))}
    return instrument(
        at.exchange.safe_symbol(text(row, "symbol"), None, None, "swap"),
        base=text(row, "baseAsset"),
        quote=text(row, "marginAsset"),
        tick=plain(filters["PRICE_FILTER"], "tickSize"),
        lot=plain(filters["LOT_SIZE"], "stepSize"),
        notional_min=plain(filters["MIN_NOTIONAL"], "notional"),
        asset_class=AssetClass.FUTURE,
    )
