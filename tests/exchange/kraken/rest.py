"""Kraken spot over REST at /0. Pages have fifty rows, the newest first.

Source: docs.kraken.com, Spot REST API.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal

from aiohttp import web

from tests.exchange.core.account import Account
from tests.exchange.core.exchange import HOUSE, Exchange
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import ZERO, Ask, Listing, Order, Refused, Side
from tests.exchange.kraken import words
from tests.exchange.kraken.signing import Params, Signing
from tests.exchange.kraken.stream import VALID_S, Tokens

PAGE = 50
DEADLINE_MS = (2_000, 60_000)  # from now, least and most
CLIENT_ID = re.compile(r"[ -~]{1,18}|[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TYPES = {"market", "limit", "stop-loss", "stop-loss-limit"}

Answer = Callable[[Account, Params], object]


class KrakenSpot:
    """The spot dialect of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.signing = Signing(exchange)
        self.tokens = Tokens(exchange)

    def routes(self) -> Sequence[web.RouteDef]:
        acts: dict[str, Answer] = {
            "AddOrder": self._place,
            "CancelOrder": self._cancel,
            "OpenOrders": self._open_orders,
            "ClosedOrders": self._closed_orders,
            "QueryOrders": self._orders,
            "TradesHistory": self._trades,
            "BalanceEx": lambda account, params: words.balances(account),
            "GetWebSocketsToken": lambda account, params: {
                "token": self.tokens.make(account.name),
                "expires": VALID_S,
            },
        }
        return [
            web.get("/0/public/Time", self._time),
            web.get("/0/public/Assets", self._assets),
            web.get("/0/public/AssetPairs", self._pairs),
            web.get("/v2", self.tokens.serve),
            *(web.post(f"/0/private/{name}", self._signed(act)) for name, act in acts.items()),
        ]

    def unsure(self) -> web.Response:
        return words.refusal("UNSURE")

    def limited(self, trouble: Trouble) -> web.Response:
        return words.refusal("LIMITED")

    def _signed(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                account, params = await self.signing.signed(request)
                return words.answer(answer(account, params))
            except Refused as refused:
                return words.refused(refused)

        return serve

    async def _time(self, request: web.Request) -> web.StreamResponse:
        return words.answer({"unixtime": self._exchange.clock() // 1_000})

    async def _assets(self, request: web.Request) -> web.StreamResponse:
        return words.answer(words.assets(self._exchange.listings.values()))

    async def _pairs(self, request: web.Request) -> web.StreamResponse:
        return words.answer(words.pairs(self._exchange.listings.values()))

    # ---- orders

    def _place(self, account: Account, params: Params) -> object:
        self._check_deadline(params)
        listing = self._listing(params.get("pair", ""))
        ask = ask_of(listing, params)
        if ask.quantity < words.ORDER_MIN:
            raise Refused("MINIMUM")
        order, _ = self._exchange.place(account.name, ask)
        return {"descr": {"order": f"{params['type']} {params['volume']}"}, "txid": [words.order_id(order)]}

    def _check_deadline(self, params: Params) -> None:
        """An order is not taken after its deadline, which is some seconds ahead."""
        if "deadline" not in params:
            return
        until_ms = int(datetime.fromisoformat(params["deadline"]).timestamp() * 1_000)
        ahead_ms = until_ms - self._exchange.clock()
        if ahead_ms < 0:
            raise Refused("LATE")
        if not DEADLINE_MS[0] <= ahead_ms <= DEADLINE_MS[1]:
            raise Refused("DEADLINE")

    def _listing(self, name: str) -> Listing:
        for one in self._exchange.listings.values():
            if name in (one.symbol, words.pair(one)):
                return one
        raise Refused("SYMBOL")

    def _cancel(self, account: Account, params: Params) -> object:
        mine = [one for one in self._mine(account) if self._named(one, params) and one.status.open]
        if not mine:
            raise Refused("UNKNOWN_ORDER")
        for one in mine:
            self._exchange.cancel(one)
        return {"count": len(mine)}

    def _named(self, one: Order, params: Params) -> bool:
        if "txid" in params:
            return words.order_id(one) in params["txid"].split(",")
        return one.ask.client_id == params.get("cl_ord_id")

    def _mine(self, account: Account) -> list[Order]:
        """Orders of an account, the newest first."""
        mine = [one for one in self._exchange.orders.values() if one.account == account.name != HOUSE]
        return sorted(mine, key=lambda one: (one.created_ms, one.number), reverse=True)

    def _rows(self, account: Account, orders: Sequence[Order]) -> dict[str, object]:
        done = self._exchange.executions(account.name)
        fees = {
            words.order_id(one): sum(
                (x.fee for x in done if (x.symbol, x.number) == (one.ask.symbol, one.number)), ZERO
            )
            for one in orders
        }
        return {words.order_id(one): words.order(one, fees[words.order_id(one)]) for one in orders}

    def _open_orders(self, account: Account, params: Params) -> object:
        wanted = params.get("cl_ord_id")
        found = [one for one in self._mine(account) if one.status.open and wanted in (None, one.ask.client_id)]
        return {"open": self._rows(account, found)}

    def _closed_orders(self, account: Account, params: Params) -> object:
        wanted = params.get("cl_ord_id")
        found = [one for one in self._mine(account) if not one.status.open and wanted in (None, one.ask.client_id)]
        start = int(params.get("ofs", "0"))
        return {"closed": self._rows(account, found[start : start + PAGE]), "count": len(found)}

    def _orders(self, account: Account, params: Params) -> object:
        found = [one for one in self._mine(account) if self._named(one, params)]
        if not found:
            raise Refused("UNKNOWN_ORDER")
        return self._rows(account, found)

    def _trades(self, account: Account, params: Params) -> object:
        """After the start, up to the end, both in seconds."""
        start, end = Decimal(params.get("start", "0")), Decimal(params.get("end", "Infinity"))
        times = ((done, Decimal(done.time_ms) / 1_000) for done in reversed(self._exchange.executions(account.name)))
        found = [done for done, at in times if start < at <= end]
        first = int(params.get("ofs", "0"))
        shown = found[first : first + PAGE]
        rows = {
            words.trade_id(done): words.trade(
                done, self._exchange.listings[done.symbol], self._exchange.orders[done.symbol, done.number]
            )
            for done in shown
        }
        return {"trades": rows, "count": len(found)}


def ask_of(listing: Listing, params: Params) -> Ask:
    """The order that a client's parameters say. Raises Refused for what is missing or too much."""
    kind, client_id = params.get("ordertype", ""), params.get("cl_ord_id", "")
    if kind not in TYPES or not {"type", "volume"} <= params.keys() or (kind == "market") == ("price" in params):
        raise Refused("PARAMETERS")
    if client_id and CLIENT_ID.fullmatch(client_id) is None:
        raise Refused("CLIENT_ID")
    stops = kind.startswith("stop-loss")
    if (kind == "stop-loss-limit") != ("price2" in params):
        raise Refused("PARAMETERS")
    limit = params.get("price2" if stops else "price")
    return Ask(
        symbol=listing.symbol,
        side=Side(params["type"].upper()),
        quantity=Decimal(params["volume"]),
        client_id=client_id,
        price=None if limit is None else Decimal(limit),
        stop=Decimal(params["price"]) if stops else None,
        tif=params.get("timeinforce", "GTC"),
        post_only="post" in params.get("oflags", "").split(","),
    )
