"""The exchange's values as Kraken writes them.

Source: docs.kraken.com, Spot REST API (Account Data, Trading, Market Data) and Websockets v2 (executions).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from aiohttp import web

from tests.exchange.core.account import Account
from tests.exchange.core.values import ZERO, Execution, Listing, Order, OrderUpdate, Refused, Status

ERRORS = {
    "KEY": "EAPI:Invalid key",
    "SIGNATURE": "EAPI:Invalid signature",
    "NONCE": "EAPI:Invalid nonce",
    "PARAMETERS": "EGeneral:Invalid arguments",
    "DEADLINE": "EGeneral:Invalid arguments:deadline",
    "LATE": "EOrder:Deadline elapsed",
    "CLIENT_ID": "EGeneral:Invalid arguments:cl_ord_id",
    "SYMBOL": "EQuery:Unknown asset pair",
    "LOT_SIZE": "EGeneral:Invalid arguments:volume",
    "PRICE_FILTER": "EOrder:Invalid price",
    "NOTIONAL": "EOrder:Cost minimum not met",
    "MINIMUM": "EOrder:Order minimum not met",
    "BALANCE": "EOrder:Insufficient funds",
    "DUPLICATE": "EOrder:Client order id is in use",
    "POST_ONLY": "EOrder:Post only order",
    "UNKNOWN_ORDER": "EOrder:Unknown order",
    "NO_ORDER": "EOrder:Unknown order",
    "LIMITED": "EAPI:Rate limit exceeded",
    "UNSURE": "EService:Unavailable",
}
ASSETS = {"BTC": "XXBT", "ETH": "XETH", "USD": "ZUSD"}
ORDER_MIN = Decimal("0.0001")
_STATUSES = {
    Status.NEW: "open",
    Status.PARTIALLY_FILLED: "open",
    Status.FILLED: "closed",
    Status.CANCELED: "canceled",
    Status.EXPIRED: "expired",
}


def answer(result: object) -> web.Response:
    return web.json_response({"error": [], "result": result})


def refusal(rule: str) -> web.Response:
    """Kraken's refusals have the status 200."""
    return web.json_response({"error": [ERRORS[rule]]})


def refused(why: Refused) -> web.Response:
    return refusal(why.rule)


def asset(name: str) -> str:
    return ASSETS.get(name, name)


def pair(one: Listing) -> str:
    """The name of a pair: XXBTZUSD, of which XBTUSD is the short one."""
    return asset(one.base) + asset(one.quote)


def seconds(at_ms: int) -> float:
    """A time, as it is written there: seconds with a fraction."""
    return at_ms / 1_000


def stamp(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def order_id(one: Order) -> str:
    """The id of an order, unique over all pairs."""
    return f"O{one.ask.symbol[:5]:X<5}-{one.number:05}-KRAKEN"


def trade_id(done: Execution) -> str:
    """The id of one side of a trade."""
    return f"T{done.symbol[:5]:X<5}-{done.trade_id:05}-{done.number:06}"


def kind_of(one: Order) -> str:
    if one.ask.stop is not None:
        return "stop-loss" if one.ask.price is None else "stop-loss-limit"
    return "market" if one.ask.price is None else "limit"


def order(one: Order, fee: Decimal) -> dict[str, object]:
    """An order, without its id."""
    asked = one.ask
    first = asked.price if asked.stop is None else asked.stop
    second = asked.price if asked.stop is not None else None
    found: dict[str, object] = {
        "refid": None,
        "userref": None,
        "cl_ord_id": asked.client_id,
        "status": _STATUSES[one.status],
        "opentm": seconds(one.created_ms),
        "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": asked.symbol,
            "type": asked.side.value.lower(),
            "ordertype": kind_of(one),
            "price": f"{first or ZERO:f}",
            "price2": f"{second or ZERO:f}",
            "leverage": "none",
            "order": f"{asked.side.value.lower()} {asked.quantity:f} {asked.symbol} @ {kind_of(one)}",
            "close": "",
        },
        "vol": f"{asked.quantity:.8f}",
        "vol_exec": f"{one.filled:.8f}",
        "cost": f"{one.turnover:f}",
        "fee": f"{fee:f}",
        "price": f"{one.turnover / one.filled if one.filled else ZERO:f}",
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": "",
        "oflags": "fciq,post" if asked.post_only else "fciq",
    }
    if not one.status.open:
        found |= {
            "closetm": seconds(one.updated_ms),
            "reason": "User requested" if one.status is Status.CANCELED else None,
        }
    return found


def trade(done: Execution, listing: Listing, of: Order) -> dict[str, object]:
    """One side of a trade, without its id."""
    return {
        "ordertxid": order_id(of),
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": pair(listing),
        "time": seconds(done.time_ms),
        "type": done.side.value.lower(),
        "ordertype": kind_of(of),
        "price": f"{done.price:.5f}",
        "cost": f"{done.price * done.quantity:f}",
        "fee": f"{done.fee:f}",
        "vol": f"{done.quantity:.8f}",
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "trade_id": done.trade_id,
        "maker": done.maker,
    }


def balances(owner: Account) -> dict[str, object]:
    held = owner.balances()
    return {asset(name): {"balance": f"{free + locked:f}", "hold_trade": f"{locked:f}"} for name, free, locked in held}


def assets(listed: Iterable[Listing]) -> dict[str, object]:
    names = sorted({name for one in listed for name in (one.base, one.quote)})
    return {
        asset(name): {
            "aclass": "currency",
            "altname": {"BTC": "XBT"}.get(name, name),
            "decimals": 10,
            "display_decimals": 5,
            "status": "enabled",
        }
        for name in names
    }


def pairs(listed: Iterable[Listing]) -> dict[str, object]:
    return {pair(one): _pair(one) for one in listed}


def _pair(one: Listing) -> dict[str, object]:
    return {
        "altname": one.symbol,
        "wsname": f"{one.symbol[:3]}/{one.symbol[3:]}",
        "aclass_base": "currency",
        "base": asset(one.base),
        "aclass_quote": "currency",
        "quote": asset(one.quote),
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": -int(one.tick.as_tuple().exponent),
        "lot_decimals": -int(one.lot.as_tuple().exponent),
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.4], [10_000, 0.35]],
        "fees_maker": [[0, 0.25], [10_000, 0.2]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": f"{ORDER_MIN:f}",
        "costmin": f"{one.notional_min:f}",
        "tick_size": f"{one.tick:f}",
        "status": "online",
    }


def execution(told: OrderUpdate) -> list[dict[str, object]]:
    """An event of the channel `executions`; the last fill of an order is told of once more as its end."""
    one, done = told.order, told.execution
    symbol = {"XBTUSD": "BTC/USD", "ETHUSD": "ETH/USD"}.get(one.ask.symbol, one.ask.symbol)
    known: dict[str, object] = {
        "order_id": order_id(one),
        "cl_ord_id": one.ask.client_id,
        "symbol": symbol,
        "side": one.ask.side.value.lower(),
        "order_type": kind_of(one),
        "order_qty": float(one.ask.quantity),
        "cum_qty": float(one.filled),
        "order_status": {"open": "new", "closed": "filled"}.get(_STATUSES[one.status], _STATUSES[one.status]),
        "timestamp": stamp(told.time_ms),
    }
    if done is None:
        return [known | {"exec_type": told.kind.lower()}]
    traded = known | {
        "exec_type": "trade",
        "exec_id": trade_id(done),
        "trade_id": done.trade_id,
        "last_qty": float(done.quantity),
        "last_price": float(done.price),
        "liquidity_ind": "m" if done.maker else "t",
        "fees": [{"asset": done.fee_asset, "qty": float(done.fee)}],
    }
    return [traded, known | {"exec_type": "filled"}] if one.status is Status.FILLED else [traded]
