"""The exchange's values as Binance USD-M futures write them.

Source: developers.binance.com, Derivatives, USDS-Margined Futures (REST API, User Data Streams).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from aiohttp import web

from tests.exchange.binance.words import error, text
from tests.exchange.core.account import Account, Position
from tests.exchange.core.values import (
    ZERO,
    BalanceUpdate,
    Event,
    Execution,
    Income,
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
    "LOT_SIZE": -4023,
    "PRICE_FILTER": -4014,
    "NOTIONAL": -4164,
    "MARGIN": -2019,
    "BALANCE": -2019,
    "DUPLICATE": -4116,
    "POST_ONLY": -5022,
    "REDUCE_ONLY": -2022,
    "POSITION_SIDE": -4061,
    "ALGO": -4120,
    "LISTEN_KEY": -1125,
    "UNKNOWN_ORDER": -2011,
    "NO_ORDER": -2013,
    "SAME_MODE": -4059,
    "IMMEDIATELY": -2021,
}
BRACKETS = (
    ("50000", "20", "0.01", "0"),
    ("250000", "10", "0.025", "750"),
    ("9223372036854775807", "5", "0.05", "7000"),
)
"""Notional cap, highest leverage, maintenance rate, and the amount that makes the tiers meet: an example's."""


def refusal(refused: Refused) -> web.Response:
    return error(CODES[refused.rule], str(refused), 401 if refused.rule == "KEY" else 400)


def kind_of(order: Order) -> str:
    return "MARKET" if order.ask.price is None else "LIMIT"


def order(one: Order, *, listed: bool = True) -> dict[str, object]:
    """An order; `listed` in the words of a query, which tell when it was made, else of what an act has answered."""
    asked = one.ask
    average = one.turnover / one.filled if one.filled else ZERO
    found: dict[str, object] = {
        "orderId": one.number,
        "symbol": asked.symbol,
        "status": one.status.value,
        "clientOrderId": asked.client_id,
        "price": text(asked.price or ZERO),
        "avgPrice": text(average),
        "origQty": text(asked.quantity),
        "executedQty": text(one.filled),
        "cumQuote": text(one.turnover),
        "timeInForce": "GTX" if asked.post_only else asked.tif,
        "type": kind_of(one),
        "reduceOnly": asked.reduce_only,
        "closePosition": False,
        "side": asked.side.value,
        "positionSide": asked.position_side,
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": kind_of(one),
        "updateTime": one.updated_ms,
    }
    return found | {"time": one.created_ms} if listed else found


def trade(done: Execution) -> dict[str, object]:
    return {
        "symbol": done.symbol,
        "id": done.trade_id,
        "orderId": done.number,
        "side": done.side.value,
        "price": text(done.price),
        "qty": text(done.quantity),
        "realizedPnl": text(done.realised),
        "quoteQty": text(done.price * done.quantity),
        "commission": text(done.fee),
        "commissionAsset": done.fee_asset,
        "time": done.time_ms,
        "positionSide": done.position_side,
        "buyer": done.side.sign > 0,
        "maker": done.maker,
    }


def balances(owner: Account) -> list[dict[str, object]]:
    return [
        {
            "accountAlias": "SgsR",
            "asset": asset,
            "balance": text(amount),
            "crossWalletBalance": text(amount),
            "crossUnPnl": text(ZERO),
            "availableBalance": text(amount),
            "maxWithdrawAmount": text(amount),
            "marginAvailable": True,
            "updateTime": 0,
        }
        for asset, amount in sorted(owner.total.items())
    ]


def position(owner: Account, listing: Listing, side: str, held: Position, mark: Decimal) -> dict[str, object]:
    isolated = listing.symbol in owner.isolated
    margin = abs(held.quantity) * held.entry / owner.leverage if isolated else ZERO
    return {
        "symbol": listing.symbol,
        "positionSide": side,
        "positionAmt": text(held.quantity),
        "entryPrice": text(held.entry),
        "breakEvenPrice": text(held.entry),
        "markPrice": text(mark),
        "unRealizedProfit": text((mark - held.entry) * held.quantity),
        "liquidationPrice": "0",
        "isolatedMargin": text(margin),
        "notional": text(held.quantity * mark),
        "marginAsset": listing.quote,
        "isolatedWallet": text(margin),
        "adl": 2,
        "updateTime": 0,
    }


def income(one: Income) -> dict[str, object]:
    return {
        "symbol": one.symbol,
        "incomeType": one.kind,
        "income": text(one.amount),
        "asset": one.asset,
        "info": one.kind,
        "time": one.time_ms,
        "tranId": one.number,
        "tradeId": "",
    }


def leverage_bracket(listing: Listing, *, readable: bool = True) -> dict[str, object]:
    floor, brackets = "0", []
    for number, (cap, leverage, rate, cum) in enumerate(BRACKETS, 1):
        brackets.append(
            {
                "bracket": number,
                "initialLeverage": int(leverage),
                "notionalCap": int(cap),
                "notionalFloor": int(floor),
                "maintMarginRatio": float(rate) if readable else None,  # a float, as it is written there
                "cum": float(cum),
            }
        )
        floor = cap
    return {"symbol": listing.symbol, "notionalCoef": 1.5, "brackets": brackets}


def exchange_info(listed: Sequence[Listing], now_ms: int) -> dict[str, object]:
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        ],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [_listing(one) for one in listed],
    }


def _listing(one: Listing) -> dict[str, object]:
    most, limits = "1000000", {"minQty": f"{one.lot:f}", "stepSize": f"{one.lot:f}", "maxQty": "1000"}
    return {
        "symbol": one.symbol,
        "pair": one.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": one.base,
        "quoteAsset": one.quote,
        "marginAsset": one.quote,
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": f"{one.tick:f}", "maxPrice": most, "tickSize": f"{one.tick:f}"},
            {"filterType": "LOT_SIZE"} | limits,
            {"filterType": "MARKET_LOT_SIZE"} | limits,
            {"filterType": "MIN_NOTIONAL", "notional": f"{one.notional_min:f}"},
        ],
        "orderTypes": [
            *("LIMIT", "MARKET", "STOP", "STOP_MARKET"),
            *("TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"),
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }


def event(told: Event) -> dict[str, object]:
    """An event of the user's stream."""
    if isinstance(told, StreamEnded):
        return {"e": "listenKeyExpired", "E": told.time_ms, "listenKey": ""}
    if isinstance(told, OrderUpdate):
        return {"e": "ORDER_TRADE_UPDATE", "T": told.time_ms, "E": told.time_ms, "o": _report(told)}
    return _account_update(told)


def _account_update(told: BalanceUpdate) -> dict[str, object]:
    delta = told.delta or ("", ZERO)
    changed = [
        {"a": asset, "wb": text(free + locked), "cw": text(free + locked), "bc": text(delta[1] * (asset == delta[0]))}
        for asset, free, locked in told.balances
    ]
    reason = "ORDER" if told.delta is None else "FUNDING_FEE"
    return {
        "e": "ACCOUNT_UPDATE",
        "E": told.time_ms,
        "T": told.time_ms,
        "a": {"m": reason, "B": changed, "P": []},
    }


def _report(told: OrderUpdate) -> dict[str, object]:
    one, done = told.order, told.execution
    asked = one.ask
    return {
        "s": asked.symbol,
        "c": asked.client_id,
        "S": asked.side.value,
        "o": kind_of(one),
        "f": asked.tif,
        "q": text(asked.quantity),
        "p": text(asked.price or ZERO),
        "ap": text(one.turnover / one.filled if one.filled else ZERO),
        "sp": "0",
        "x": told.kind,
        "X": one.status.value,
        "i": one.number,
        "l": text(done.quantity if done else ZERO),
        "z": text(one.filled),
        "L": text(done.price if done else ZERO),
        "N": done.fee_asset if done else "",
        "n": text(done.fee if done else ZERO),
        "T": told.time_ms,
        "t": done.trade_id if done else 0,
        "m": bool(done and done.maker),
        "R": asked.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": kind_of(one),
        "ps": asked.position_side,
        "cp": False,
        "rp": text(done.realised if done else ZERO),
    }
