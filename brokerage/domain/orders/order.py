"""The order as its client asked for it: a value with an owner, and the rules that make one well formed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any

from blake3 import blake3

from brokerage.domain.orders.states import (
    OrderType,
    TimeInForce,
)
from qmtl.core.decimals import DIGITS_MAX, INT64_MAX
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.fast_init import fast_init

MARGIN_CALL = "MARGIN_CALL"
"""Tags the orders by which an account closes what it cannot hold."""
OPERATOR = "@operator"
"""Who owns orders that people send by hand; also the world of those that name none, and a tag of what closes others."""
DEMOTION = "@demotion"
"""Tags the orders by which brokerage closes what a demoted strategy holds."""
NETTED = "NETTED"
"""Tags what a netted order brought its owner; what that reduced cuts orders that wait for it."""
INTERNAL = "INTERNAL"
"""Tags what strategies traded with each other, at the price of the fill or at the mark."""
OWN_TAGS = frozenset({MARGIN_CALL, OPERATOR, DEMOTION, NETTED, INTERNAL})
OWN_NAMES = ("demotion-", "flatten-", "margin-call-")
"""How ids of orders begin that brokerage itself sends for a strategy: it finds them again by these."""
EXTERNAL = "@external"
"""Who owns what the venue did without us: orders of other clients, liquidations, deleveraging; also its world."""

NETTING = "@netting"
"""Who owns an order that is sent for several strategies at once; also its world. Its shares are booked, it holds
nothing.
"""

OVERLAY = "@overlay"
"""Who owns the hedge of a world, in that world. Only rebalancing runs trade it."""


class Side(Enum):
    BUY = "BUY"
    SELL = "SELL"

    __hash__ = object.__hash__  # members are single: that of Enum hashes the name in Python, at every look-up

    def __init__(self, name: str) -> None:
        self.sign = 1 if name == "BUY" else -1


class TrailOffsetType(Enum):
    PRICE = "PRICE"
    FRACTION = "FRACTION"
    TICKS = "TICKS"


class PositionSide(Enum):
    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class Contingency(Enum):
    """How an order is tied to its linked orders: its fill sends them (OTO), its fill or end cancels them (OCO), its
    fill reduces them by as much (OUO).
    """

    OTO = "OTO"
    OCO = "OCO"
    OUO = "OUO"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose order it is. Positions, client order ids and accounting are kept per owner."""

    account: str
    world_id: str
    strategy_id: str

    @property
    def in_no_world(self) -> bool:
        """Whether no world's fence is asked: an order by hand that names none, what the venue did without us, and a
        netted order, whose shares each ask their own.
        """
        return self.world_id in (OPERATOR, EXTERNAL, NETTING)


@dataclass(frozen=True, slots=True)
class OrderShare:
    """The part of a netted order that is one strategy's: a signed quantity, the epoch that it was gated under, and
    whether it only takes off what is held.
    """

    world_id: str
    strategy_id: str
    quantity: Decimal
    epoch: int
    reduce_only: bool

    @property
    def side(self) -> Side:
        """Which way it trades."""
        return Side.BUY if self.quantity > 0 else Side.SELL

    def owner(self, account: str) -> Owner:
        """Whose it is."""
        return Owner(account, self.world_id, self.strategy_id)

    def __str__(self) -> str:
        return f"share {self.world_id}/{self.strategy_id}"


@fast_init
@dataclass(frozen=True, slots=True)
class Order:
    """The client's unscaled order. Two orders are the same request exactly when they are equal.

    `position_target` is the signed position that is wanted in the end: the gate's weight bounds what is held by it.

    `parent` and `linked` are client order ids of its list: whose fill sends it, and what it is tied to.

    `decided_ns` is the close of the bar it was decided on: no bar that starts before it can fill the order.

    `shares` are those of a netted order, which add up to it: its fills are booked to their owners.
    """

    owner: Owner
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    tif: TimeInForce = TimeInForce.GTC
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    expire_at_ns: int | None = None
    reduce_only: bool = False
    post_only: bool = False
    trail_offset: Decimal | None = None
    trail_offset_type: TrailOffsetType | None = None
    limit_offset: Decimal | None = None
    position_side: PositionSide = PositionSide.BOTH
    decided_ns: int | None = None
    venue: str = "paper"
    tags: tuple[str, ...] = ()
    strategy_version: int = 0
    position_target: Decimal | None = None
    list_id: str = ""
    parent: str = ""
    contingency: Contingency | None = None
    linked: tuple[str, ...] = ()
    shares: tuple[OrderShare, ...] = ()

    @property
    def crosses(self) -> bool:
        """Whether its shares add up to nothing: they trade with each other, and nothing goes to a venue."""
        return bool(self.shares) and not self.quantity


def require_well_formed(order: Order) -> None:
    """Refuse an order whose parts do not make one. Raises InvalidRequest (E_ORDER_MALFORMED) with the fields."""
    wants_limit = order.type in _LIMITED
    wants_stop = order.type in _STOPPED
    wrong = _unreadable(order)
    if wrong:  # nothing else can be said of it
        raise InvalidRequest("E_ORDER_MALFORMED", "; ".join(map(str, wrong)), violations=wrong)
    if order.quantity <= 0 and not order.crosses:
        wrong.append(Violation("quantity", str(order.quantity), "more than 0"))
    for name, price, wanted in (
        ("limit_price", order.limit_price, wants_limit),
        ("stop_price", order.stop_price, wants_stop),
    ):
        if (price is not None) != wanted:
            wrong.append(Violation(name, str(price), f"{'a price' if wanted else 'none'} for {order.type.value}"))
    wrong += _trailing_violations(order)
    if order.shares or order.owner.strategy_id == NETTING:
        wrong += _share_violations(order)
    if (order.expire_at_ns is not None) != (order.tif is TimeInForce.GTD):
        wrong.append(Violation("expire_at", str(order.expire_at_ns), "a time for GTD, else none"))
    if not order.client_order_id:
        wrong.append(Violation("client_order_id", "''", "an id of yours"))
    if wrong:
        raise InvalidRequest("E_ORDER_MALFORMED", "; ".join(map(str, wrong)), violations=wrong)


def _unreadable(order: Order) -> list[Violation]:
    """Numbers of an order that are none, or that no contract carries."""
    shares = [("shares.quantity", share.quantity) for share in order.shares] if order.shares else ()
    amounts = (("quantity", order.quantity), ("position_target", order.position_target), *shares)
    prices = (
        ("limit_price", order.limit_price),
        ("stop_price", order.stop_price),
        ("trail_offset", order.trail_offset),
        ("limit_offset", order.limit_offset),
    )
    instants = (("expire_at", order.expire_at_ns), ("decided_at", order.decided_ns))
    wrong = [
        Violation(name, str(amount), "a finite number")
        for name, amount in (*amounts, *prices)
        if amount is not None and not amount.is_finite()
    ]
    wrong += [
        Violation(name, f"{price:.3e}", f"less than 1e{DIGITS_MAX}")
        for name, price in prices
        if price is not None and price.is_finite() and price.adjusted() >= DIGITS_MAX
    ]
    wrong += [
        Violation(name, f"{at_ns} ns", "an instant of the years 1678 to 2261")
        for name, at_ns in instants
        if at_ns is not None and abs(at_ns) > INT64_MAX
    ]
    return wrong


def _share_violations(order: Order) -> list[Violation]:
    """What is wrong with a netted order."""
    wrong: list[Violation] = []
    owner, names = order.owner, [(share.world_id, share.strategy_id) for share in order.shares]
    if (owner.world_id, owner.strategy_id) != (NETTING, NETTING):
        wrong.append(Violation("strategy_id", owner.strategy_id, f"{NETTING}, of world {NETTING}, with shares"))
    if not names or names != sorted(set(names)):
        wrong.append(Violation("shares", f"{len(names)}", "one or more, each once, by world and strategy"))
    if any(not share.quantity for share in order.shares):
        wrong.append(Violation("shares.quantity", "0", "other than 0"))
    net = sum((share.quantity for share in order.shares), Decimal(0))
    if net != order.quantity * order.side.sign:
        wrong.append(Violation("shares", f"a sum of {net}", f"{order.quantity * order.side.sign}, the order's"))
    if order.type is not OrderType.LIMIT or order.tif is not TimeInForce.IOC:
        wrong.append(Violation("type", f"{order.type.value} {order.tif.value}", "LIMIT IOC with shares"))
    if order.reduce_only or order.position_target is not None or order.list_id:
        wrong.append(Violation("reduce_only", "a term of one strategy", "none with shares"))
    return wrong


def _trailing_violations(order: Order) -> list[Violation]:
    """What is wrong with the offsets of an order."""
    trails, offset = order.type in TRAILING, order.trail_offset
    wrong: list[Violation] = []
    if (order.trail_offset_type is not None) != trails:
        wanted = "a unit" if trails else "none"
        wrong.append(Violation("trail_offset_type", str(order.trail_offset_type), f"{wanted} for {order.type.value}"))
    if trails != (offset is not None) or (offset is not None and offset <= 0):
        wrong.append(
            Violation("trail_offset", str(offset), f"{'more than 0' if trails else 'none'} for {order.type.value}")
        )
    elif order.trail_offset_type is TrailOffsetType.FRACTION and offset is not None and offset >= 1:
        wrong.append(Violation("trail_offset", str(offset), "less than 1, a fraction of the price"))
    limits = order.type is OrderType.TRAILING_STOP_LIMIT
    if limits != (order.limit_offset is not None) or (order.limit_offset is not None and order.limit_offset < 0):
        wanted = "0 or more" if limits else "none"
        wrong.append(Violation("limit_offset", str(order.limit_offset), f"{wanted} for {order.type.value}"))
    return wrong


TRAILING = frozenset({OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT})
"""Types whose stop follows the price: it is set behind the last price when the order is taken."""

_LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED})
_STOPPED = frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED})


@lru_cache(maxsize=1_024)
def order_id(owner: Owner, client_order_id: str) -> str:
    """The order's own id, the same on every replica and replay: base32 of BLAKE3 over its unique key, 32 letters."""
    name = client_order_id.encode()
    key = _key_of(owner) + len(name).to_bytes(4, "big") + name
    return _letters_of(key)


@lru_cache(maxsize=1_024)
def _key_of(owner: Owner) -> bytes:
    parts = (owner.account.encode(), owner.world_id.encode(), owner.strategy_id.encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def venue_order_id(identity: str, generation: int, length_max: int = 32) -> str:
    """The id an order has at its venue after so many replaces, cut to what the venue takes: its own id at first."""
    if not generation:
        return identity[:length_max]
    key = f"{identity}/{generation}".encode()
    return _letters_of(key)[:length_max]


def _letters_of(key: bytes) -> str:
    """Base32 (RFC 4648, small letters) of the first 160 bits of BLAKE3 over a key, two letters at a time."""
    number = int.from_bytes(blake3(key).digest(20))
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(150, -1, -10)])


_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(first + second for first in _LETTERS for second in _LETTERS)


@fast_init
@dataclass(frozen=True, slots=True)
class SizedOrder:
    """An order in scaled integers, after weight: what will be worked. `worst` is 0 for one that trades at the mark."""

    quantity: int
    limit: int | None
    stop: int | None
    expire_ns: int | None
    worst: int


def subject_of(order: Order) -> dict[str, Any]:
    """Whose an order is and what it trades, by the names that rows and messages have for it."""
    return {
        "account": order.owner.account,
        "world_id": order.owner.world_id,
        "strategy_id": order.owner.strategy_id,
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "venue": order.venue,
    }


def effective(order: Order, gate_reduce_only: bool) -> Order:
    """The order as it is worked: a drain makes it reduce-only. The client's body stays as it was sent."""
    if order.reduce_only or not gate_reduce_only:
        return order
    return replace(order, reduce_only=True)


@dataclass(frozen=True, slots=True)
class OrderName:
    """Names one order the way clients do."""

    owner: Owner
    client_order_id: str
