"""Kraken spot: /0/private. An order is taken until its `deadline`, no later; requests go in the order of their nonces.

Rows have Kraken's own names of assets and pairs (XXBT, XXBTZUSD, XBTUSD), which ccxt's markets map. An amended order
keeps its ids, so a replace is a cancel and a new order. Source: docs.kraken.com, Spot REST API, as of 2026.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
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
    json_number,
    plain,
    price,
    rows,
    spot_positions,
    text,
    whole,
)
from brokerage.venues.listings import ListedOrder, ListedPayment, ListedTrade
from qmtl.core.decimals import to_scaled
from qmtl.core.errors import Unavailable
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, VenueRefused

WINDOW_MS = 5_000
"""How long an order may be on its way. Kraken wants a deadline of two seconds ahead at least when it arrives."""

PAGE = 50
UNKNOWN_ORDER = "EOrder:Unknown order"

SPOT = VenueTraits(
    name="kraken",
    types=frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT}),
    times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC}),
    native_reduce_only=False,
    order_id_length_max=18,  # of free text; longer ones are UUIDs
    acceptance_window_ns=WINDOW_MS * SECOND_NS // 1_000,
    answers_in_commit=False,
    holds_sales=True,
    post_only=True,
    profile="kraken_spot",
)
OPTIONS: Mapping[str, object] = {}

_TYPES = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP_MARKET: "stop-loss",
    OrderType.STOP_LIMIT: "stop-loss-limit",
}
_ENDED = {"canceled": EventKind.CANCELED, "expired": EventKind.EXPIRED}
_CLIENT_ID = re.compile(r"[ -~]{1,18}")


class KrakenSpot:
    """The spot dialect."""

    @property
    def traits(self) -> VenueTraits:
        return SPOT

    @property
    def lists_per_all(self) -> int:
        return 0  # there is one list only

    async def submit(self, at: Connection, order: OutgoingOrder) -> ListedOrder:
        if _CLIENT_ID.fullmatch(order.client_id) is None:
            raise VenueRefused(f"{order.client_id[:80]!r} is no client id of Kraken, want 1 to 18 letters")
        answer = await at.call(partial(_sent_in_time, at), _params(at, order), purpose=order.purpose, order=True)
        [number] = _ids(_result(answer).get("txid"))
        now_ms = at.now_ms()
        return ListedOrder(
            client_id=order.client_id,
            number=number,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            limit=order.limit,
            stop=order.stop,
            filled=Decimal(0),
            kind=EventKind.ACCEPTED,
            reduce_only=False,
            created_ms=now_ms,
            at_ms=now_ms,
        )

    async def replace(self, at: Connection, client_id: str, by: OutgoingOrder) -> ListedOrder | None:
        return None

    async def cancel(
        self, at: Connection, symbol: str, client_id: str, *, conditional: bool = False
    ) -> ListedOrder | None:
        """Raises Unavailable (E_VENUE_UNREACHABLE) where the order still works after it: the cancel is pending."""
        params = {"cl_ord_id": client_id}
        try:
            await at.call(at.exchange.private_post_cancelorder, params, purpose=Purpose.CANCEL, order=True)
        except VenueRefused as refused:
            if UNKNOWN_ORDER in str(refused):
                return None
            raise
        ended = await self.order(at, symbol, client_id=client_id)
        if ended is None or (ended.kind is EventKind.ACCEPTED and ended.filled < ended.quantity):
            raise Unavailable("E_VENUE_UNREACHABLE", f"the cancel of {client_id} is pending at kraken")
        return ended

    async def order(
        self, at: Connection, symbol: str, *, client_id: str = "", number: str = "", conditional: bool = False
    ) -> ListedOrder | None:
        """By the client's id first among those that work, then among those that have ended: of these the newest."""
        if number:
            found = await self._listed(at, at.exchange.private_post_queryorders, {"txid": number}, "", Purpose.QUERY)
            return found[0] if found else None
        named = {"cl_ord_id": client_id}
        found = await self._listed(at, at.exchange.private_post_openorders, named, "open", Purpose.QUERY)
        if not found:
            found = await self._listed(at, at.exchange.private_post_closedorders, named, "closed", Purpose.QUERY)
        same = [one for one in found if one.client_id == client_id]
        return max(same, key=lambda one: one.created_ms) if same else None

    async def open_orders(self, at: Connection, symbol: str) -> list[ListedOrder]:
        found = await self._listed(at, at.exchange.private_post_openorders, {}, "open")
        return [one for one in found if symbol in ("", one.symbol)]

    async def orders(self, at: Connection, symbol: str) -> list[ListedOrder]:
        """Those that have ended are read after those that work: one that ends meanwhile is listed once, as it ended."""
        found = {one.number: one for one in await self.open_orders(at, "")}
        for start in range(0, ORDERS_MAX, PAGE):
            page = await self._listed(at, at.exchange.private_post_closedorders, {"ofs": start}, "closed")
            found |= {one.number: one for one in page}
            if len(page) < PAGE:
                break
        mine = (one for one in found.values() if one.symbol == symbol)
        return sorted(mine, key=lambda one: one.created_ms)[-ORDERS_MAX:]

    async def _listed(
        self,
        at: Connection,
        endpoint: Callable[[Row], Awaitable[object]],
        params: Row,
        part: str,
        purpose: Purpose = Purpose.RECONCILE,
    ) -> list[ListedOrder]:
        try:
            result = _result(await at.call(endpoint, params, purpose=purpose))
        except VenueRefused as refused:
            if UNKNOWN_ORDER in str(refused):
                return []
            raise
        return [_order(at, number, row) for number, row in _named(result.get(part) if part else result)]

    async def trades(self, at: Connection, symbols: Collection[str], since_ms: int) -> list[ListedTrade]:
        """All pages, the newest first, up to now: what is traded meanwhile moves no page."""
        found: dict[str, ListedTrade] = {}
        window = {"start": since_ms // 1_000 - 1 if since_ms else 0, "end": at.now_ms() // 1_000 + 1}
        while True:
            params = window | {"ofs": len(found)}
            answer = await at.call(at.exchange.private_post_tradeshistory, params, purpose=Purpose.RECONCILE, weight=2)
            page = {number: _trade(at, number, row) for number, row in _named(_result(answer).get("trades"))}
            new = page.keys() - found.keys()
            found |= page
            if len(page) < PAGE or not new:
                mine = (one for one in found.values() if one.symbol in symbols)
                return [one for one in mine if one.at_ms >= since_ms]

    async def payments(self, at: Connection, since_ms: int) -> list[ListedPayment]:
        return []

    async def balances(self, at: Connection) -> dict[str, Decimal]:
        answer = await at.call(at.exchange.private_post_balanceex, {}, purpose=Purpose.RECONCILE)
        found: dict[str, Decimal] = {}
        for asset, row in _named(_result(answer)):
            currency = str(at.exchange.safe_currency_code(asset))
            found[currency] = found.get(currency, Decimal(0)) + decimal(row, "balance")
        return {currency: total for currency, total in found.items() if total}

    async def positions(self, at: Connection) -> dict[str, Decimal]:
        return spot_positions(at, await self.balances(at))

    async def instruments(self, at: Connection) -> list[Instrument]:
        await at.exchange.load_markets()
        answer = await at.call(at.exchange.public_get_assetpairs, {}, purpose=Purpose.RECONCILE)
        return [_instrument(at, name, row) for name, row in _named(_result(answer)) if text(row, "status") == "online"]

    async def told(self, at: Connection) -> None:
        """Fills come on another of ccxt's channels than orders. The token is asked for in its turn of the nonces."""
        await at.call(lambda params: at.exchange.authenticate(), {}, purpose=Purpose.QUERY)
        watching = [
            asyncio.ensure_future(at.exchange.watch_orders()),
            asyncio.ensure_future(at.exchange.watch_my_trades()),
        ]
        try:
            done, _ = await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in watching:
                one.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        for one in done:
            one.result()


async def _sent_in_time(at: Connection, params: Row) -> object:
    """Send an order that nobody takes later than the window from the check of the lease."""
    until = datetime.fromtimestamp((at.signing_ms() + WINDOW_MS) / 1_000, UTC).isoformat(timespec="milliseconds")
    answer: object = await at.exchange.private_post_addorder({**params, "deadline": until.replace("+00:00", "Z")})
    return answer


def _params(at: Connection, order: OutgoingOrder) -> dict[str, object]:
    """Fees are asked for in quote on both sides: that is the currency that trades are listed with."""
    params: dict[str, object] = {
        "pair": at.exchange.market(order.symbol)["id"],
        "type": order.side.value.lower(),
        "ordertype": _TYPES[order.type],
        "volume": f"{order.quantity:f}",
        "cl_ord_id": order.client_id,
        "oflags": "fciq,post" if order.post_only else "fciq",
    }
    prices = [one for one in (order.stop, order.limit) if one is not None]
    params |= {name: f"{one:f}" for name, one in zip(("price", "price2"), prices, strict=False)}
    if order.type is OrderType.LIMIT and not order.post_only:
        params["timeinforce"] = order.tif.value
    return params


def _result(answer: object) -> Row:
    return rows([rows([answer])[0].get("result")])[0]


def _named(answer: object) -> list[tuple[str, Row]]:
    """Rows by their names."""
    [found] = rows([answer])
    return [(name, row) for name, row in zip(found, rows(list(found.values())), strict=True)]


def _ids(answer: object) -> list[str]:
    return [text({"txid": one}, "txid") for one in answer] if isinstance(answer, list) else []


def _ms(row: Row, name: str) -> int:
    """A time, which is a number of seconds with a fraction: the only one here that is no decimal text."""
    return int(json_number(row, name) * 1_000)


def _symbol(at: Connection, name: str) -> str:
    """A pair by either of its names."""
    short = at.exchange.options["marketsByAltname"].get(name)
    return str(short["symbol"] if short is not None else at.exchange.safe_symbol(name))


def _order(at: Connection, number: str, row: Row) -> ListedOrder:
    [asked] = rows([row.get("descr")])
    stops = text(asked, "ordertype").startswith("stop-loss")
    return ListedOrder(
        client_id=str(row.get("cl_ord_id") or f"#{number}"),
        number=number,
        symbol=_symbol(at, text(asked, "pair")),
        side=Side(text(asked, "type").upper()),
        quantity=decimal(row, "vol"),
        limit=price(asked, "price2" if stops else "price"),
        stop=price(asked, "price") if stops else None,
        filled=decimal(row, "vol_exec"),
        kind=_ENDED.get(text(row, "status"), EventKind.ACCEPTED),
        reduce_only=False,
        created_ms=_ms(row, "opentm"),
        at_ms=_ms(row, "closetm" if "closetm" in row else "opentm"),
    )


def _trade(at: Connection, number: str, row: Row) -> ListedTrade:
    symbol = _symbol(at, text(row, "pair"))
    return ListedTrade(
        trade_id=number,
        number=text(row, "ordertxid"),
        symbol=symbol,
        side=Side(text(row, "type").upper()),
        price=decimal(row, "price"),
        quantity=decimal(row, "vol"),
        fee=decimal(row, "fee"),
        fee_currency=str(at.exchange.market(symbol)["quote"]),
        liquidity=Liquidity.MAKER if row.get("maker") is True else Liquidity.TAKER,
        at_ms=_ms(row, "time"),
    )


def _instrument(at: Connection, name: str, row: Row) -> Instrument:
    """A pair: its tick where it says one, else its decimals; `ordermin` is a quantity, `costmin` a notional."""
    market = at.exchange.market(at.exchange.safe_symbol(name))
    lot = f"{Decimal(1).scaleb(-whole(row, 'lot_decimals')):f}"
    found = instrument(
        str(market["symbol"]),
        base=str(market["base"]),
        quote=str(market["quote"]),
        tick=plain(row, "tick_size") if "tick_size" in row else f"{Decimal(1).scaleb(-whole(row, 'pair_decimals')):f}",
        lot=lot,
        notional_min=plain(row, "costmin") if "costmin" in row else "0",
        asset_class=AssetClass.CRYPTO,
    )
    least = to_scaled(decimal(row, "ordermin"), found.quantity_scale) if "ordermin" in row else found.lot
    return replace(found, quantity_min=max(least, found.lot))
