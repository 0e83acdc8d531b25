"""From quote intents to orders: the quotes that an inventory allows, and the cancels and orders that bring them about.

Quotes lean against the inventory: both are moved by `skew` half spreads times the share of it that is full, as the
reservation price of Avellaneda and Stoikov 2008 is, which is linear in the inventory. Sizes never lead beyond its
bounds, and a weight bounds it as it bounds a target. Orders that quote the same already are left where they stand.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from qmtl.core.decimals import to_decimal
from qmtl.core.errors import refused
from qmtl.sdk.execution.legs import Route, Routing
from qmtl.sdk.execution.planner import cut
from qmtl.sdk.execution.port import (
    AskHeldPosition,
    AskPermission,
    AskWorkingOrders,
    Cancel,
    Decision,
    DeniedOrder,
    LimitOrder,
    Permission,
    Submit,
    Weights,
    WorkingOrder,
    ask,
    order_name,
)
from qmtl.sdk.strategy.bracket import to_tick
from qmtl.sdk.strategy.quotes import QuoteRule

BID, ASK = "-bid", "-ask"
"""End the names of quotes."""

ALONE: Final = Routing()
"""The routing of a strategy that has no other version."""


@dataclass(frozen=True, slots=True)
class QuoteIntent:
    """What a strategy would quote at the close of a bar: fair price, half spread (quote currency), size (units)."""

    time_ns: int
    fair: Decimal
    half_spread: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is held, and the bounds of it that a weight leaves; `lot` and `tick` are the instrument's steps."""

    held: Decimal
    longest: Decimal
    shortest: Decimal
    lot: Decimal
    tick: Decimal

    @property
    def filled(self) -> Decimal:
        """The share of the bound on its side that is held, -1 to 1; 1 beyond it, also where nothing may be held."""
        if not self.held:
            return Decimal(0)
        bound = self.longest if self.held > 0 else -self.shortest
        share = min(abs(self.held) / bound, Decimal(1)) if bound > 0 else Decimal(1)
        return share if self.held > 0 else -share


@dataclass(frozen=True, slots=True)
class Quote:
    """A wanted limit order: a price and a signed quantity."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class QuotePlanner:
    """Makes quotes of an intent and an inventory."""

    skew: Decimal

    def quotes(self, intent: QuoteIntent, inventory: Inventory) -> tuple[Quote, ...]:
        """The bid and the ask; one whose size or price would be 0 is left out. Prices go away from the fair price."""
        centre = intent.fair - self.skew * inventory.filled * intent.half_spread
        bid = to_tick(centre - intent.half_spread, inventory.tick, up=False)
        ask_price = to_tick(centre + intent.half_spread, inventory.tick, up=True)
        buys = cut(max(min(intent.size, inventory.longest - inventory.held), Decimal(0)), inventory.lot)
        sells = cut(max(min(intent.size, inventory.held - inventory.shortest), Decimal(0)), inventory.lot)
        wanted = Quote(bid, buys), Quote(ask_price, -sells)
        return tuple(quote for quote in wanted if quote.quantity and quote.price > 0)


@dataclass(frozen=True, slots=True)
class CancelReplacePlan:
    """What brings working orders to the wanted quotes: those to keep, those to cancel first, and the quotes to send."""

    keep: tuple[str, ...]
    cancel: tuple[str, ...]
    send: tuple[Quote, ...]


def cancel_replace(working: Sequence[WorkingOrder], wanted: Sequence[Quote]) -> CancelReplacePlan:
    """Keep an order for each wanted quote of its price and open quantity; cancel the others, send what is missing."""
    missing, keep, cancel = list(wanted), list[str](), list[str]()
    for order in working:
        quote = Quote(order.limit_price, order.open_quantity) if order.limit_price is not None else None
        if quote in missing:
            missing.remove(quote)
            keep.append(order.client_order_id)
        else:
            cancel.append(order.client_order_id)
    return CancelReplacePlan(tuple(keep), tuple(cancel), tuple(missing))


def intent_of(time_ns: int, row: Sequence[float]) -> QuoteIntent:
    """An intent of a command node's row. Raises InvalidRequest (E_TARGET) for one that is not finite."""
    fair, half_spread, size = (to_decimal(value) for value in row[:3])
    if not (fair.is_finite() and half_spread.is_finite() and size.is_finite()):
        raise refused("E_TARGET", "quote", row, "finite numbers")
    return QuoteIntent(time_ns, fair, half_spread, size)


def quote(
    rule: QuoteRule, intent: QuoteIntent, weights: Weights, sent: Collection[str] = (), routing: Routing = ALONE
) -> Decision[list[DeniedOrder]]:
    """Act on an intent: ask what is held and works, cancel what is not wanted, send what is missing.

    `sent`: names of orders that an earlier process sent. A side that it has quoted for this bar stays as it is until
    the next: a name is of one order, and what is left of that one may be less by now.
    """
    symbol, time_ns = rule.symbol, intent.time_ns
    permission = routing.narrowed(symbol, (yield from ask(AskPermission(symbol))))
    if permission.nothing:
        return []
    name = order_name(symbol, time_ns, routing.version)
    weights = weights if routing.weighs(symbol) else Weights(Decimal(0), Decimal(0))
    quoted = {name + side for side in (BID, ASK)}.intersection(sent)
    found = yield from ask(AskWorkingOrders(symbol, time_ns))
    working = [order for order in found if order.client_order_id not in quoted]
    before = yield from ask(AskHeldPosition(symbol, time_ns))
    wanted = _wanted(rule, intent, _inventory(rule, weights, before.expected, before.lot, before.tick), permission)
    plan = cancel_replace(working, _unquoted(wanted, name, quoted))
    for order_id in plan.cancel:
        yield from ask(Cancel(order_id, time_ns))
    if plan.cancel:  # what a cancel came too late for is held now, or may be
        after = yield from ask(AskHeldPosition(symbol, time_ns))
        if after.expected != before.expected:
            inventory = _inventory(rule, weights, after.expected, after.lot, after.tick)
            kept = [order for order in working if order.client_order_id in plan.keep]
            wanted = _wanted(rule, intent, inventory, permission)
            plan = cancel_replace(kept, _unquoted(wanted, name, quoted))
            for order_id in plan.cancel:
                yield from ask(Cancel(order_id, time_ns))
    denied: list[DeniedOrder] = []
    for one in plan.send:
        toward = rule.longest if one.quantity > 0 else rule.shortest
        order = LimitOrder(_name(name, one), symbol, one.quantity, time_ns, one.price, toward, post_only=rule.post_only)
        reply = yield from ask(Submit(replace(order, reduce_only=routing.of(symbol) is not Route.MINE)))
        if reply.denied_by:
            denied.append(DeniedOrder(order.client_order_id, symbol, reply.denied_by, reply.message, time_ns))
    return denied


def _name(name: str, wanted: Quote) -> str:
    return name + (BID if wanted.quantity > 0 else ASK)


def _unquoted(wanted: Sequence[Quote], name: str, quoted: Collection[str]) -> list[Quote]:
    """Quotes of the sides that were not quoted for this bar before."""
    return [one for one in wanted if _name(name, one) not in quoted]


def _inventory(rule: QuoteRule, weights: Weights, held: Decimal, lot: Decimal, tick: Decimal) -> Inventory:
    longest, shortest = cut(rule.longest * weights.long, lot), cut(rule.shortest * weights.short, lot)
    return Inventory(held, longest, shortest, lot, tick)


def _wanted(rule: QuoteRule, intent: QuoteIntent, inventory: Inventory, permission: Permission) -> tuple[Quote, ...]:
    quotes = QuotePlanner(rule.skew).quotes(intent, inventory)
    return tuple(one for one in quotes if permission.allows(inventory.held, one.quantity))
