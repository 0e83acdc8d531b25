"""Binance spot: REST at /api/v3 and the user's stream over the websocket API.

Source: developers.binance.com, binance-spot-api-docs (REST API, Websocket API, User Data Streams).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from aiohttp import web

from tests.exchange.binance import words
from tests.exchange.binance.signing import Params, signed
from tests.exchange.binance.stream import serve_websocket
from tests.exchange.core.account import Account
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Ask, Execution, Order, Refused, Side
from tests.exchange.server import limited as too_many

TRADES_MAX = 1_000
TRADES_DEFAULT = 500
PRICED = {"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"}
STOPS = {"STOP_LOSS", "STOP_LOSS_LIMIT"}
TYPES = {"MARKET"} | PRICED | STOPS

Answer = Callable[[Account, Params], object]


class BinanceSpot:
    """The spot dialect of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/api/v3/time", self._time),
            web.get("/api/v3/exchangeInfo", self._info),
            web.post("/api/v3/order", self._signed(self._place)),
            web.delete("/api/v3/order", self._signed(self._cancel)),
            web.get("/api/v3/order", self._signed(self._order)),
            web.post("/api/v3/order/cancelReplace", self._signed(self._replace)),
            web.get("/api/v3/openOrders", self._signed(self._open_orders)),
            web.get("/api/v3/allOrders", self._signed(self._orders)),
            web.get("/api/v3/myTrades", self._signed(self._trades)),
            web.get("/api/v3/account", self._signed(self._account)),
            web.get("/ws-api/v3", self._websocket),
            web.get("/sapi/v1/account/apiRestrictions", self._signed(lambda account, _: words.key_rights(account))),
        ]

    def unsure(self) -> web.Response:
        return words.error(-1007, "Timeout waiting for response from backend server. Send status unknown.", status=408)

    def limited(self, trouble: Trouble) -> web.Response:
        return too_many(trouble)

    def _signed(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                account, params = await signed(self._exchange, request)
                answered = answer(account, params)
                return answered if isinstance(answered, web.Response) else web.json_response(answered)
            except Refused as refused:
                return words.refusal(refused)

        return serve

    async def _time(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"serverTime": self._exchange.clock()})

    async def _info(self, request: web.Request) -> web.StreamResponse:
        listed = [one for one in self._exchange.listings.values() if not one.contract]
        return web.json_response(words.exchange_info(listed, self._exchange.clock()))

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        return await serve_websocket(self._exchange, request)

    def _place(self, account: Account, params: Params) -> object:
        if not account.may_trade:
            raise Refused("KEY", "Invalid API-key, IP, or permissions for action.")
        order, done = self._exchange.place(account.name, ask_of(params))
        return _placed(order, done)

    def _cancel(self, account: Account, params: Params) -> object:
        found = self._exchange.cancel(self._found(account, params, "UNKNOWN_ORDER"))
        renamed = params.get("newClientOrderId", f"cancel-{found.number}")
        return words.order(found) | {"origClientOrderId": found.ask.client_id, "clientOrderId": renamed}

    def _replace(self, account: Account, params: Params) -> object:
        """Cancel one order and place another; nothing is placed where nothing could be cancelled."""
        renamed = {
            "origClientOrderId": params.get("cancelOrigClientOrderId", ""),
            "orderId": params.get("cancelOrderId", ""),
        }
        wanted = {"symbol": params["symbol"]} | {name: value for name, value in renamed.items() if value}
        ask, results = ask_of(params), {"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS"}
        try:
            if params.get("cancelRestrictions") == "ONLY_NEW" and self._found(account, wanted, "UNKNOWN_ORDER").filled:
                raise Refused("UNKNOWN_ORDER", "Order was not canceled due to cancel restrictions.")
            canceled = self._cancel(account, wanted)
        except Refused as refused:
            return words.replace_failure(-2022, "FAILURE", "NOT_ATTEMPTED", refused)
        try:
            placed = _placed(*self._exchange.place(account.name, ask))
        except Refused as refused:
            return words.replace_failure(-2021, "SUCCESS", "FAILURE", refused)
        return results | {"cancelResponse": canceled, "newOrderResponse": placed}

    def _order(self, account: Account, params: Params) -> object:
        return words.order(self._found(account, params, "NO_ORDER"))

    def _open_orders(self, account: Account, params: Params) -> object:
        found = self._exchange.open_orders(account.name, params.get("symbol"))
        return [words.order(one) for one in found if not self._exchange.listings[one.ask.symbol].contract]

    def _orders(self, account: Account, params: Params) -> object:
        mine = [one for one in self._exchange.orders.values() if one.account == account.name]
        limit = min(int(params.get("limit", TRADES_DEFAULT)), TRADES_MAX)
        return [words.order(one) for one in mine if one.ask.symbol == params["symbol"]][-limit:]

    def _trades(self, account: Account, params: Params) -> object:
        found = self._exchange.executions(account.name, params["symbol"])
        limit = min(int(params.get("limit", TRADES_DEFAULT)), TRADES_MAX)
        if "orderId" in params:
            found = [one for one in found if one.number == int(params["orderId"])]
        if "startTime" in params:
            found = [one for one in found if one.time_ms >= int(params["startTime"])]
        if "fromId" in params:
            found = [one for one in found if one.trade_id >= int(params["fromId"])][:limit]
        elif "startTime" in params:
            found = found[:limit]
        return [words.trade(one) for one in found[-limit:]]

    def _account(self, account: Account, params: Params) -> object:
        return words.account(account)

    def _found(self, account: Account, params: Params, missing: str) -> Order:
        number = int(params["orderId"]) if "orderId" in params else None
        client_id = params.get("origClientOrderId")
        found = self._exchange.find(account.name, params["symbol"], number=number, client_id=client_id)
        if found is None:
            raise Refused(missing, "Unknown order sent." if missing == "UNKNOWN_ORDER" else "Order does not exist.")
        return found


def ask_of(params: Params) -> Ask:
    """The order that a client's parameters say. Raises Refused for what is missing or too much."""
    kind = params["type"]
    priced, stopped = kind in PRICED, kind in STOPS
    timed = kind in ("LIMIT", "STOP_LOSS_LIMIT")
    if kind not in TYPES or priced != ("price" in params) or stopped != ("stopPrice" in params):
        raise Refused("PARAMETERS", "A combination of parameters is not valid.")
    if timed != ("timeInForce" in params) or "quantity" not in params:
        raise Refused("PARAMETERS", "Mandatory parameter was not sent, was empty/null, or malformed.")
    return Ask(
        symbol=params["symbol"],
        side=Side(params["side"]),
        quantity=Decimal(params["quantity"]),
        client_id=params.get("newClientOrderId", ""),
        price=Decimal(params["price"]) if priced else None,
        stop=Decimal(params["stopPrice"]) if stopped else None,
        tif=params.get("timeInForce", "GTC"),
        post_only=kind == "LIMIT_MAKER",
    )


def _placed(order: Order, done: Sequence[Execution]) -> dict[str, object]:
    return words.order(order) | {"transactTime": order.updated_ms, "fills": [words.fill(one) for one in done]}
