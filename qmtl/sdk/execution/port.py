"""The execution port: what the decision logic asks of a venue, and what it is answered.

A decision is a generator that yields requests and is sent their answers. A simulated account answers at once; a mesh
when its services have answered. The logic between the requests is the same code for both.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

from brokerage.domain.orders.order import Contingency
from qmtl.core.instants import NS_PER_S
from qmtl.sdk.graph.names import tag_of

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """A market order to send. `quantity` is signed: negative sells. `decided_ns` is the close of the deciding bar.

    `position_target` is the signed position wanted in the end, before any weight.
    """

    client_order_id: str
    symbol: str
    quantity: Decimal
    decided_ns: int
    position_target: Decimal | None = None
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class LimitOrder:
    """A limit order to send, as a MarketOrder else. `post_only`: it may only rest, never take."""

    client_order_id: str
    symbol: str
    quantity: Decimal
    decided_ns: int
    limit_price: Decimal
    position_target: Decimal | None = None
    reduce_only: bool = False
    post_only: bool = False


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """An order of a list. `quantity` is signed. A price makes it a stop or a limit order, `trailing`, a fraction of the
    price, a stop that follows it; nothing of these, a market order.

    `contingency` says how it is tied to the orders `linked`, by client order id; `parent` is the order whose fill sends
    it (docs/orders.md).
    """

    client_order_id: str
    symbol: str
    quantity: Decimal
    decided_ns: int
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trailing: Decimal | None = None
    reduce_only: bool = False
    position_target: Decimal | None = None
    parent: str = ""
    contingency: Contingency | None = None
    linked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Weights:
    """The share of a target that may be held on each side."""

    long: Decimal
    short: Decimal

    def of(self, target: float) -> Decimal:
        """The weight of the side that a target is on."""
        return self.long if target > 0 else self.short


WHOLE = Weights(Decimal(1), Decimal(1))


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """What the strategy has in one symbol at the deciding bar. `expected` is held plus what open orders may bring;
    `lot` and `tick`, the steps of quantities and prices, are the instrument's.
    """

    expected: Decimal
    equity: Decimal
    lot: Decimal
    tick: Decimal

    @property
    def is_flat(self) -> bool:
        """Whether less than a lot is held."""
        return abs(self.expected) < self.lot


@dataclass(frozen=True, slots=True)
class Permission:
    """Which orders may be sent now: on each side of the position, any, or only such as reduce it."""

    long: bool
    short: bool
    reduce_long: bool
    reduce_short: bool

    @property
    def nothing(self) -> bool:
        """No order at all may be sent."""
        return not (self.long or self.short or self.reduce_long or self.reduce_short)

    def allows(self, held: Decimal, quantity: Decimal) -> bool:
        """Whether a position may change by a signed quantity."""
        after = held + quantity
        reduces = abs(after) < abs(held)
        if after > 0 or (after == 0 and held > 0):
            return self.reduce_long if reduces else self.long
        return self.reduce_short if reduces else self.short


UNRESTRICTED = Permission(long=True, short=True, reduce_long=True, reduce_short=True)


@dataclass(frozen=True, slots=True)
class OrderReply:
    """What became of a submitted order. `denied_by` names the rule and `message` says its numbers; `final`: the same
    order cannot pass at a later bar either.
    """

    denied_by: str = ""
    message: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class DeniedOrder:
    """An order that was denied, and the rule that denied it. LEG_TIMEOUT: it was given up before it was sent."""

    client_order_id: str
    symbol: str
    rule: str
    message: str
    time_ns: int


class Request(Generic[A]):
    """Something asked of the venue, to be answered by an A."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class AskPermission(Request[Permission]):
    """What may be sent now."""

    symbol: str


@dataclass(frozen=True, slots=True)
class AskOpenOrders(Request[tuple[str, ...]]):
    """Client order ids of a symbol's open orders, once the venue has seen the bar that closes at `time_ns`."""

    symbol: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """An open order of the strategy: what it may still fill, signed, and its limit; None: it has none."""

    client_order_id: str
    open_quantity: Decimal
    limit_price: Decimal | None


@dataclass(frozen=True, slots=True)
class AskWorkingOrders(Request[tuple[WorkingOrder, ...]]):
    """A symbol's open orders with their terms, once the venue has seen the bar that closes at `time_ns`."""

    symbol: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class Cancel(Request[None]):
    """Cancel an open order; what it got until then is kept. `orders_before` is noted of a run: how many orders it had
    sent before.
    """

    client_order_id: str
    time_ns: int
    orders_before: int | None = None


@dataclass(frozen=True, slots=True)
class AskHeldPosition(Request[HeldPosition]):
    """The position in a symbol, once the venue has seen the bar that closes at `time_ns`."""

    symbol: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class FeeEstimate:
    """The most that an order may be charged, in the currency of the equity, and what of its quantity is withheld."""

    money: Decimal
    withheld: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class AskFee(Request[FeeEstimate]):
    """What a market order of a signed quantity may be charged at a price, by the schedule of an instant."""

    symbol: str
    quantity: Decimal
    price: Decimal
    time_ns: int


@dataclass(frozen=True, slots=True)
class Submit(Request[OrderReply]):
    """Send an order. The same order asked twice is one order."""

    order: MarketOrder | LimitOrder


@dataclass(frozen=True, slots=True)
class SubmitList(Request[OrderReply]):
    """Send orders that belong together, all or none; the reply is of the first that was denied by a rule of its own."""

    list_id: str
    orders: tuple[ListedOrder, ...]


@dataclass(frozen=True, slots=True)
class SubmitExit(Request[OrderReply]):
    """Send an exit by itself, in place of one that its venue has rejected; simulated venues reject none."""

    order: ListedOrder


SentOrder = MarketOrder | LimitOrder | SubmitList
"""What a run has sent."""

Decision = Generator[Request[Any], Any, R]


def ask(request: Request[A]) -> Generator[Request[Any], Any, A]:
    """Yield one request; its answer, with its type. For use as `answer = yield from ask(...)`."""
    answer: A = yield request
    return answer


def conclude(decision: Decision[R], answer: Callable[[Request[Any]], object]) -> R:
    """Run a decision against a venue that answers at once."""
    try:
        request = next(decision)
        while True:
            request = decision.send(answer(request))
    except StopIteration as done:
        result: R = done.value
        return result


async def conclude_async(decision: Decision[R], answer: Callable[[Request[Any]], Awaitable[object]]) -> R:
    """Run a decision against a venue that is waited for."""
    try:
        request = next(decision)
        while True:
            request = decision.send(await answer(request))
    except StopIteration as done:
        result: R = done.value
        return result


def order_name(symbol: str, time_ns: int, version: int = 0) -> str:
    """The client order id of the order that a version of a strategy may send of a symbol for one bar."""
    name = f"{tag_of(symbol)}-{time_ns // NS_PER_S}"
    return f"{name}-v{version}" if version else name


def named_version(client_order_id: str, symbol: str) -> int | None:
    """The version that named an order; None for one that no version of the strategy named for this symbol."""
    found = re.fullmatch(re.escape(tag_of(symbol)) + r"-\d+(?:-v(\d+))?(?:-[a-z]+)?", client_order_id)
    return None if found is None else int(found[1] or 0)
