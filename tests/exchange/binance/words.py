"""The exchange's values as Binance writes them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from aiohttp import web

from tests.exchange.core.account import Account
from tests.exchange.core.values import (
    BalanceUpdate,
    Event,
    Execution,
    Listing,
    Order,
    OrderUpdate,
    Refused,
    StreamEnded,
)

CODES = {
    "SIGNATURE": -1022,
    "TIMESTAMP": -1021,
    "KEY": -2015,
    "PARAMETERS": -1106,
    "SYMBOL": -1121,
    "LOT_SIZE": -1013,
    "PRICE_FILTER": -1013,
    "NOTIONAL": -1013,
    "BALANCE": -2010,
    "DUPLICATE": -2010,
    "POST_ONLY": -2010,
    "REDUCE_ONLY": -2022,
    "UNKNOWN_ORDER": -2011,
    "NO_ORDER": -2013,
}


def text(value: Decimal) -> str:
    """A number as Binance writes it: eight places."""
    return f"{value:.8f}"


def error(code: int, message: str, status: int = 400) -> web.Response:
    return web.json_response({"code": code, "msg": message}, status=status)


def refusal(refused: Refused) -> web.Response:
    return error(CODES[refused.rule], str(refused), 401 if refused.rule == "KEY" else 400)


def replace_failure(code: int, canceled: str, placed: str, refused: Refused) -> web.Response:
    """The answer of cancelReplace of which a part has failed."""
    why = {"code": CODES[refused.rule], "msg": str(refused)}
    failed_first = canceled == "FAILURE"
    data = {
        "cancelResult": canceled,
        "newOrderResult": placed,
        "cancelResponse": why if failed_first else {},
        "newOrderResponse": None if failed_first else why,
    }
    status, message = (
        (400, "Order cancel-replace failed.") if failed_first else (409, "Order cancel-replace partially failed.")
    )
    return web.json_response({"code": code, "msg": message, "data": data}, status=status)


def kind_of(order: Order) -> str:
    """The type of an order."""
    asked = order.ask
    if asked.post_only:
        return "LIMIT_MAKER"
    if asked.stop is not None:
        return "STOP_LOSS" if asked.price is None else "STOP_LOSS_LIMIT"
    return "MARKET" if asked.price is None else "LIMIT"


def order(one: Order) -> dict[str, object]:
    asked = one.ask
    return {
        "symbol": asked.symbol,
        "orderId": one.number,
        "orderListId": -1,
        "clientOrderId": asked.client_id,
        "price": text(asked.price or Decimal(0)),
        "origQty": text(asked.quantity),
        "executedQty": text(one.filled),
        "cummulativeQuoteQty": text(one.turnover),
        "status": one.status.value,
        "timeInForce": asked.tif,
        "type": kind_of(one),
        "side": asked.side.value,
        "stopPrice": text(asked.stop or Decimal(0)),
        "icebergQty": text(Decimal(0)),
        "time": one.created_ms,
        "updateTime": one.updated_ms,
        "isWorking": not one.waiting,
        "workingTime": one.created_ms,
        "origQuoteOrderQty": text(Decimal(0)),
        "selfTradePreventionMode": "NONE",
    }


def fill(done: Execution) -> dict[str, object]:
    return {
        "price": text(done.price),
        "qty": text(done.quantity),
        "commission": text(done.fee),
        "commissionAsset": done.fee_asset,
        "tradeId": done.trade_id,
    }


def trade(done: Execution) -> dict[str, object]:
    return {
        "symbol": done.symbol,
        "id": done.trade_id,
        "orderId": done.number,
        "orderListId": -1,
        "price": text(done.price),
        "qty": text(done.quantity),
        "quoteQty": text(done.price * done.quantity),
        "commission": text(done.fee),
        "commissionAsset": done.fee_asset,
        "time": done.time_ms,
        "isBuyer": done.side.sign > 0,
        "isMaker": done.maker,
        "isBestMatch": True,
    }


def account(owner: Account) -> dict[str, object]:
    return {
        "makerCommission": int(owner.maker * 10_000),
        "takerCommission": int(owner.taker * 10_000),
        "canTrade": True,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": text(free), "locked": text(locked)} for asset, free, locked in owner.balances()
        ],
        "permissions": ["SPOT"],
    }


def key_rights(owner: Account) -> dict[str, object]:
    """What the key of an account is allowed."""
    return {
        "ipRestrict": False,
        "enableReading": True,
        "enableWithdrawals": owner.may_withdraw,
        "enableSpotAndMarginTrading": owner.may_trade,
        "enableFutures": owner.may_trade,
    }


def exchange_info(listed: Sequence[Listing], now_ms: int) -> dict[str, object]:
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        ],
        "exchangeFilters": [],
        "symbols": [_listing(one) for one in listed],
    }


def _listing(one: Listing) -> dict[str, object]:
    most = "1000000.00000000"
    return {
        "symbol": one.symbol,
        "status": "TRADING",
        "baseAsset": one.base,
        "baseAssetPrecision": 8,
        "quoteAsset": one.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
        "icebergAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": text(one.tick), "maxPrice": most, "tickSize": text(one.tick)},
            {"filterType": "LOT_SIZE", "minQty": text(one.lot), "maxQty": most, "stepSize": text(one.lot)},
            {"filterType": "NOTIONAL", "minNotional": text(one.notional_min), "applyMinToMarket": True},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def event(told: Event) -> list[dict[str, object]]:
    """An event of the user's stream; a change from outside comes with the balances after it."""
    if isinstance(told, StreamEnded):
        return [{"e": "eventStreamTerminated", "E": told.time_ms}]
    if isinstance(told, OrderUpdate):
        return [_report(told)]
    return _balances(told)


def _balances(told: BalanceUpdate) -> list[dict[str, object]]:
    after = {
        "e": "outboundAccountPosition",
        "E": told.time_ms,
        "u": told.time_ms,
        "B": [{"a": asset, "f": text(free), "l": text(locked)} for asset, free, locked in told.balances],
    }
    if told.delta is None:
        return [after]
    asset, delta = told.delta
    return [after, {"e": "balanceUpdate", "E": told.time_ms, "a": asset, "d": text(delta), "T": told.time_ms}]


def _report(told: OrderUpdate) -> dict[str, object]:
    one, done = told.order, told.execution
    asked = one.ask
    canceled = told.kind == "CANCELED"
    return {
        "e": "executionReport",
        "E": told.time_ms,
        "s": asked.symbol,
        "c": f"cancel-{one.number}" if canceled else asked.client_id,
        "S": asked.side.value,
        "o": kind_of(one),
        "f": asked.tif,
        "q": text(asked.quantity),
        "p": text(asked.price or Decimal(0)),
        "P": text(asked.stop or Decimal(0)),
        "F": text(Decimal(0)),
        "g": -1,
        "C": asked.client_id if canceled else "",
        "x": told.kind,
        "X": one.status.value,
        "r": "NONE",
        "i": one.number,
        "l": text(done.quantity if done else Decimal(0)),
        "z": text(one.filled),
        "L": text(done.price if done else Decimal(0)),
        "n": text(done.fee if done else Decimal(0)),
        "N": done.fee_asset if done else None,
        "T": told.time_ms,
        "t": done.trade_id if done else -1,
        "w": one.status.open and not one.waiting,
        "m": bool(done and done.maker),
        "O": one.created_ms,
        "Z": text(one.turnover),
        "Y": text(done.price * done.quantity if done else Decimal(0)),
        "Q": text(Decimal(0)),
    }
