"""Binance USD-M futures over REST at /fapi.

Source: developers.binance.com, Derivatives, USDS-Margined Futures, REST API.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from aiohttp import web

from tests.exchange.binance.signing import Params, keyed, signed
from tests.exchange.binance.usdm import words
from tests.exchange.binance.usdm.conditional import TYPES as CONDITIONAL
from tests.exchange.binance.usdm.conditional import AlgoService
from tests.exchange.binance.usdm.stream import ListenKeys
from tests.exchange.binance.words import error, key_rights
from tests.exchange.core.account import Account
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Ask, Order, Refused, Side
from tests.exchange.server import limited as too_many

PAGE_MAX = 1_000
PAGE = 500
WEEK_MS = 7 * 86_400_000

Answer = Callable[[Account, Params], object]
Check = Callable[[Exchange, web.Request], Awaitable[tuple[Account, Params]]]


class BinanceUsdm:
    """The USD-M dialect of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.algo = AlgoService(exchange)
        self.keys = ListenKeys(exchange)
        exchange.watchers.append(self.algo.reach)

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/fapi/v1/time", self._time),
            web.get("/fapi/v1/exchangeInfo", self._info),
            web.post("/fapi/v1/order", self._signed(self._place)),
            web.delete("/fapi/v1/order", self._signed(self._cancel)),
            web.get("/fapi/v1/order", self._signed(self._order)),
            web.get("/fapi/v1/openOrders", self._signed(self._open_orders)),
            web.get("/fapi/v1/allOrders", self._signed(self._orders)),
            web.post("/fapi/v1/algoOrder", self._signed(self._algo_place)),
            web.delete("/fapi/v1/algoOrder", self._signed(self._algo_cancel)),
            web.get("/fapi/v1/algoOrder", self._signed(self._algo_order)),
            web.get("/fapi/v1/openAlgoOrders", self._signed(self._algo_open)),
            web.get("/fapi/v1/allAlgoOrders", self._signed(self._algo_all)),
            web.get("/fapi/v1/userTrades", self._signed(self._trades)),
            web.get("/fapi/v1/income", self._signed(self._income)),
            web.get("/fapi/v1/leverageBracket", self._signed(self._brackets)),
            web.get("/fapi/v3/balance", self._signed(self._balance)),
            web.get("/fapi/v3/positionRisk", self._signed(self._positions)),
            web.get("/fapi/v1/positionSide/dual", self._signed(self._mode)),
            web.post("/fapi/v1/positionSide/dual", self._signed(self._set_mode)),
            web.post("/fapi/v1/marginType", self._signed(self._set_margin)),
            web.post("/fapi/v1/leverage", self._signed(self._set_leverage)),
            web.post("/fapi/v1/listenKey", self._signed(self._listen, keyed)),
            web.put("/fapi/v1/listenKey", self._signed(self._keep, keyed)),
            web.get("/private/ws", self.keys.serve),
            web.get("/sapi/v1/account/apiRestrictions", self._signed(lambda account, _: key_rights(account))),
        ]

    def unsure(self) -> web.Response:
        return error(-1007, "Timeout waiting for response from backend server. Send status unknown.", status=408)

    def limited(self, trouble: Trouble) -> web.Response:
        return too_many(trouble)

    def _signed(self, answer: Answer, by: Check = signed) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                account, params = await by(self._exchange, request)
                return web.json_response(answer(account, params))
            except Refused as refused:
                return words.refusal(refused)

        return serve

    async def _time(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"serverTime": self._exchange.clock()})

    async def _info(self, request: web.Request) -> web.StreamResponse:
        listed = [one for one in self._exchange.listings.values() if one.contract]
        return web.json_response(words.exchange_info(listed, self._exchange.clock()))

    # ---- orders

    def _place(self, account: Account, params: Params) -> object:
        if not account.may_trade:
            raise Refused("KEY", "Invalid API-key, IP, or permissions for action.")
        if params["type"] in CONDITIONAL:
            raise Refused(
                "ALGO", "Order type not supported for this endpoint. Please use the Algo Order API endpoints."
            )
        order, _ = self._exchange.place(account.name, ask_of(account, params, params.get("newClientOrderId", "")))
        return words.order(order, listed=False)

    def _cancel(self, account: Account, params: Params) -> object:
        return words.order(self._exchange.cancel(self._found(account, params, "UNKNOWN_ORDER")), listed=False)

    def _order(self, account: Account, params: Params) -> object:
        return words.order(self._found(account, params, "NO_ORDER"))

    def _open_orders(self, account: Account, params: Params) -> object:
        found = self._exchange.open_orders(account.name, params.get("symbol"))
        return [words.order(one) for one in found if self._exchange.listings[one.ask.symbol].contract]

    def _orders(self, account: Account, params: Params) -> object:
        mine = [one for one in self._exchange.orders.values() if one.account == account.name]
        return [words.order(one) for one in mine if one.ask.symbol == params["symbol"]][-_limit(params) :]

    def _found(self, account: Account, params: Params, missing: str) -> Order:
        number = int(params["orderId"]) if "orderId" in params else None
        client_id = params.get("origClientOrderId")
        found = self._exchange.find(account.name, params["symbol"], number=number, client_id=client_id)
        if found is None:
            raise Refused(missing, "Unknown order sent." if missing == "UNKNOWN_ORDER" else "Order does not exist.")
        return found

    # ---- conditional orders

    def _algo_place(self, account: Account, params: Params) -> object:
        ask = ask_of(account, params, params.get("clientAlgoId", ""), conditional=True)
        return self.algo.words(self.algo.place(account.name, params, ask))

    def _algo_cancel(self, account: Account, params: Params) -> object:
        found = self.algo.found(account.name, params, "UNKNOWN_ORDER")
        self.algo.cancel(found)
        return {"algoId": found.number, "clientAlgoId": found.ask.client_id, "code": "200", "msg": "success"}

    def _algo_order(self, account: Account, params: Params) -> object:
        return self.algo.words(self.algo.found(account.name, params, "NO_ORDER"))

    def _algo_open(self, account: Account, params: Params) -> object:
        symbol = params.get("symbol")
        mine = [one for one in self.algo.orders if (one.account, one.status) == (account.name, "NEW")]
        return [self.algo.words(one) for one in mine if symbol in (None, one.ask.symbol)]

    def _algo_all(self, account: Account, params: Params) -> object:
        """By the time they were made, seven days at most."""
        start = int(params.get("startTime", self._exchange.clock() - WEEK_MS))
        end = int(params.get("endTime", start + WEEK_MS))
        mine = [one for one in self.algo.orders if (one.account, one.ask.symbol) == (account.name, params["symbol"])]
        return [self.algo.words(one) for one in mine if start <= one.created_ms <= end][-_limit(params) :]

    # ---- the account

    def _trades(self, account: Account, params: Params) -> object:
        """Never more than seven days at once, by time; `fromId` goes with no time."""
        found = self._exchange.executions(account.name, params["symbol"])
        if "fromId" in params:
            if "startTime" in params or "endTime" in params:
                raise Refused("PARAMETERS", "fromId cannot be sent with startTime or endTime.")
            return [words.trade(one) for one in found if one.trade_id >= int(params["fromId"])][: _limit(params)]
        start = int(params.get("startTime", self._exchange.clock() - WEEK_MS))
        end = int(params.get("endTime", start + WEEK_MS))
        if end - start > WEEK_MS:
            raise Refused("PARAMETERS", "The time between startTime and endTime is longer than 7 days.")
        return [words.trade(one) for one in found if start <= one.time_ms <= end][: _limit(params)]

    def _income(self, account: Account, params: Params) -> object:
        start = int(params.get("startTime", self._exchange.clock() - WEEK_MS))
        end = int(params.get("endTime", self._exchange.clock()))
        kinds = (params.get("incomeType", one.kind) == one.kind for one in account.incomes)
        found = [one for one, wanted in zip(account.incomes, kinds, strict=True) if wanted]
        return [words.income(one) for one in found if start <= one.time_ms <= end][: min(_limit(params), PAGE_MAX)]

    def _brackets(self, account: Account, params: Params) -> object:
        listed = [one for one in self._exchange.listings.values() if one.contract]
        broken = self._exchange.unreadable_brackets
        return [
            words.leverage_bracket(one, readable=one.symbol not in broken)
            for one in listed
            if params.get("symbol", one.symbol) == one.symbol
        ]

    def _balance(self, account: Account, params: Params) -> object:
        return words.balances(account)

    def _positions(self, account: Account, params: Params) -> object:
        found = []
        for listing in self._exchange.listings.values():
            if listing.contract and params.get("symbol", listing.symbol) == listing.symbol:
                mark = self._exchange.last.get(listing.symbol, Decimal(0))
                sides = account.held(listing.symbol)
                found += [words.position(account, listing, side, one, mark) for side, one in sides]
        return found

    def _mode(self, account: Account, params: Params) -> object:
        return {"dualSidePosition": account.hedged}

    def _set_mode(self, account: Account, params: Params) -> object:
        wanted = params["dualSidePosition"].lower() == "true"
        if wanted == account.hedged:
            raise Refused("SAME_MODE", "No need to change position side.")
        if any(one.quantity for one in account.positions.values()) or self._exchange.open_orders(account.name):
            raise Refused("POSITION_SIDE", "Position side cannot be changed if there exists position or open orders.")
        account.hedged = wanted
        return {"code": 200, "msg": "success"}

    def _set_margin(self, account: Account, params: Params) -> object:
        change = account.isolated.add if params["marginType"] == "ISOLATED" else account.isolated.discard
        change(params["symbol"])
        return {"code": 200, "msg": "success"}

    def _set_leverage(self, account: Account, params: Params) -> object:
        account.leverage = int(params["leverage"])
        return {"leverage": account.leverage, "maxNotionalValue": "1000000", "symbol": params["symbol"]}

    def _listen(self, account: Account, params: Params) -> object:
        return {"listenKey": self.keys.start(account.name)}

    def _keep(self, account: Account, params: Params) -> object:
        return {"listenKey": self.keys.keep(account.name)}


def ask_of(account: Account, params: Params, client_id: str, *, conditional: bool = False) -> Ask:
    """The order that a client's parameters say. Raises Refused for what is missing or too much."""
    kind = params["type"]
    priced = kind in ("LIMIT", "STOP", "TAKE_PROFIT")
    if (
        priced != ("price" in params)
        or "quantity" not in params
        or (not conditional and kind not in ("LIMIT", "MARKET"))
    ):
        raise Refused("PARAMETERS", "A combination of parameters is not valid.")
    if kind == "LIMIT" and "timeInForce" not in params:
        raise Refused("PARAMETERS", "Mandatory parameter 'timeInForce' was not sent.")
    if account.hedged and "reduceOnly" in params:
        raise Refused("PARAMETERS", "Parameter 'reduceonly' sent when not required.")
    tif = params.get("timeInForce", "GTC")
    return Ask(
        symbol=params["symbol"],
        side=Side(params["side"]),
        quantity=Decimal(params["quantity"]),
        client_id=client_id,
        price=Decimal(params["price"]) if priced else None,
        tif="GTC" if tif == "GTX" else tif,
        post_only=tif == "GTX",
        reduce_only=params.get("reduceOnly", "").lower() == "true",
        position_side=params.get("positionSide", "BOTH"),
    )


def _limit(params: Params) -> int:
    return min(int(params.get("limit", PAGE)), PAGE_MAX)
