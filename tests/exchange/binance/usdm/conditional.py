"""The algo service of Binance USD-M: conditional orders wait here, and become orders of the book once triggered.

The order that a trigger makes has a number and a client id of its own; margin and positions are looked at only then.
Source: developers.binance.com, USDS-Margined Futures, New Algo Order and its neighbours (since 2025-12-09).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from tests.exchange.binance.signing import Params
from tests.exchange.binance.words import text
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.values import ZERO, Ask, Refused, Side

PRICED = {"STOP", "TAKE_PROFIT"}
TRAILING = "TRAILING_STOP_MARKET"
TYPES = PRICED | {"STOP_MARKET", "TAKE_PROFIT_MARKET", TRAILING}
DONE = {"FILLED", "CANCELED", "EXPIRED"}


@dataclass(slots=True)
class Conditional:
    """A conditional order. `best` is the price that a trailing stop has seen the market reach."""

    number: int
    account: str
    kind: str
    ask: Ask
    trigger: Decimal
    callback: Decimal
    created_ms: int
    updated_ms: int
    status: str = "NEW"
    actual: int | None = None
    best: Decimal | None = None
    triggered_ms: int = 0

    @property
    def rises(self) -> bool:
        """Whether it waits for a price above."""
        buys = self.ask.side is Side.BUY
        return buys if self.kind in ("STOP", "STOP_MARKET", TRAILING) else not buys


@dataclass(slots=True)
class AlgoService:
    """All conditional orders of an exchange."""

    exchange: Exchange
    orders: list[Conditional] = field(default_factory=list)

    def place(self, account: str, params: Params, ask: Ask) -> Conditional:
        """Take a conditional order. Raises Refused."""
        kind = params.get("type", "")
        if kind not in TYPES or params.get("algoType") != "CONDITIONAL" or (kind in PRICED) != (ask.price is not None):
            raise Refused("PARAMETERS", "A combination of parameters is not valid.")
        trails = kind == TRAILING
        if trails != ("callbackRate" in params) or (not trails and "triggerPrice" not in params):
            raise Refused("PARAMETERS", "Mandatory parameter was not sent, was empty/null, or malformed.")
        listing = self.exchange.listings.get(ask.symbol)
        if listing is None:
            raise Refused("SYMBOL", "Invalid symbol.")
        if ask.quantity <= 0 or ask.quantity % listing.lot:
            raise Refused("LOT_SIZE", "Qty not increased by step size.")
        mine = [one for one in self.orders if one.account == account and one.status == "NEW"]
        if any(one.ask.client_id == ask.client_id for one in mine):
            raise Refused("DUPLICATE", "ClientOrderId is duplicated.")
        now, trigger = self.exchange.clock(), Decimal(params.get("triggerPrice", "0"))
        callback = Decimal(params.get("callbackRate", "0"))
        made = Conditional(len(self.orders) + 1, account, kind, ask, trigger, callback, now, now)
        last = self.exchange.last.get(ask.symbol)
        if not trails and last is not None and (last >= trigger if made.rises else last <= trigger):
            raise Refused("IMMEDIATELY", "Order would immediately trigger.")
        self.orders.append(made)
        return made

    def found(self, account: str, params: Params, missing: str) -> Conditional:
        """An order by its number or client id, the newest. Raises Refused."""
        for one in reversed(self.orders):
            named = params.get("algoId") == str(one.number) or params.get("clientAlgoId") == one.ask.client_id
            if one.account == account and named:
                return one
        raise Refused(missing, "Unknown order sent." if missing == "UNKNOWN_ORDER" else "Order does not exist.")

    def cancel(self, order: Conditional) -> None:
        """Raises Refused for one that waits no more."""
        if order.status != "NEW":
            raise Refused("UNKNOWN_ORDER", "Unknown order sent.")
        order.status, order.updated_ms = "CANCELED", self.exchange.clock()

    def reach(self, symbol: str, bid: Decimal, ask: Decimal) -> None:
        """Let go of those that the new prices reach."""
        for order in self.orders:
            if order.status == "NEW" and order.ask.symbol == symbol and self._reached(order, bid, ask):
                self._trigger(order)

    def _reached(self, order: Conditional, bid: Decimal, ask: Decimal) -> bool:
        price = ask if order.rises else bid
        if order.kind != TRAILING:
            return price >= order.trigger if order.rises else price <= order.trigger
        best = order.best if order.best is not None else price
        order.best = min(best, price) if order.rises else max(best, price)
        turned = order.best * (1 + order.callback / 100 * (1 if order.rises else -1))
        return price >= turned if order.rises else price <= turned

    def _trigger(self, order: Conditional) -> None:
        order.triggered_ms = order.updated_ms = self.exchange.clock()
        try:
            made, _ = self.exchange.place(order.account, replace(order.ask, client_id=f"algo-made-{order.number}"))
        except Refused:
            order.status = "REJECTED"
            return
        order.status, order.actual = "TRIGGERED", made.number

    def words(self, order: Conditional) -> dict[str, object]:
        """As the exchange writes it."""
        asked, status = order.ask, order.status
        made = self.exchange.orders.get((asked.symbol, order.actual)) if order.actual is not None else None
        if made is not None and made.status.value in DONE:
            status = "FINISHED"
        return {
            "algoId": order.number,
            "clientAlgoId": asked.client_id,
            "algoType": "CONDITIONAL",
            "orderType": order.kind,
            "symbol": asked.symbol,
            "side": asked.side.value,
            "positionSide": asked.position_side,
            "timeInForce": asked.tif,
            "quantity": text(asked.quantity),
            "algoStatus": status,
            "actualOrderId": "" if order.actual is None else str(order.actual),
            "actualPrice": text(made.turnover / made.filled if made is not None and made.filled else ZERO),
            "triggerPrice": text(order.trigger),
            "price": text(asked.price or ZERO),
            "workingType": "CONTRACT_PRICE",
            "closePosition": False,
            "priceProtect": False,
            "reduceOnly": asked.reduce_only,
            "createTime": order.created_ms,
            "updateTime": order.updated_ms,
            "triggerTime": order.triggered_ms,
            "goodTillDate": 0,
        }
