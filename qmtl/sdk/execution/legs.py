"""Parts of a change of position: what closes, what is permitted, by the world, by the routing of a strategy's versions
and after a promotion, and what waits for others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum

from qmtl.sdk.execution.port import ListedOrder, Permission, named_version

CLOSING = "-close"
"""Ends the name of an order that closes a position which could not be turned round in one order."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A leg that waits for the reductions of its decision, as symbol and client order id, since `bars` bars."""

    target: float
    bars: int
    reductions: tuple[tuple[str, str], ...]

    def closes(self, symbol: str) -> bool:
        """Whether it waits for its own order that flattens it alone: that is its target, however long it fills."""
        return bool(self.reductions) and all(
            own == symbol and not name.endswith(CLOSING) for own, name in self.reductions
        )


def closing_part(held: Decimal, quantity: Decimal) -> Decimal:
    """The signed part of a change that takes off a position."""
    if held * quantity >= 0:
        return Decimal(0)
    return quantity if abs(quantity) <= abs(held) else -held


def permitted_part(held: Decimal, quantity: Decimal, permission: Permission) -> Decimal:
    """A change as far as it is permitted: whole, only what closes a position that it would turn round, or nothing."""
    if not quantity or permission.allows(held, quantity):
        return quantity
    closing = closing_part(held, quantity)
    return closing if closing and closing != quantity and permission.allows(held, closing) else Decimal(0)


REJECTIONS_MAX = 3
"""Orders toward one target, or in place of one exit, that a venue may reject, one a bar, before they are given up."""


class Protection:
    """The exits that were sent for what is held of one symbol, and those of them that its venue has rejected, by what
    their names end in (-stop, -trail, -target).
    """

    def __init__(self) -> None:
        self._sent: dict[str, ListedOrder] = {}
        self._rejections: dict[str, int] = {}
        self.lost: dict[str, ListedOrder] = {}

    def begin(self, exits: Sequence[ListedOrder]) -> None:
        """These protect what is held from now on."""
        self._sent = {_kind(one.client_order_id): one for one in exits}
        self._rejections.clear()
        self.lost.clear()

    def sent(self, order: ListedOrder) -> None:
        """One was sent in place of a lost one."""
        del self.lost[_kind(order.client_order_id)]

    def reject(self, client_order_id: str, message: str) -> str:
        """Take that a venue has rejected an exit; what is said of it."""
        kind = _kind(client_order_id)
        order, count = self._sent.get(kind), self._rejections.get(kind, 0) + 1
        self._rejections[kind] = count
        if order is None:
            return f"{message} (what it protected is held without it: it was sent by an earlier run; place one by hand)"
        self.lost[kind] = order
        what = f"{abs(order.quantity)} {order.symbol} are held without their {shown_exit(order)}"
        if count < REJECTIONS_MAX:
            return f"{message} ({what}; it is sent again)"
        del self.lost[kind]
        return f"{message} ({what}: {count} were rejected, it is given up; place one by hand, or close)"


def _kind(client_order_id: str) -> str:
    return "-" + client_order_id.rpartition("-")[2]


def shown_exit(order: ListedOrder) -> str:
    """An exit in words, with its number."""
    if order.stop_price is not None:
        return f"stop at {order.stop_price}"
    return f"trailing stop of {order.trailing}" if order.trailing is not None else f"target at {order.limit_price}"


class Route(Enum):
    """Whose a symbol is among the versions of a strategy, as one of them sees it."""

    MINE = "MINE"
    OTHERS = "OTHERS"
    NOBODYS = "NOBODYS"


class Routing:
    """What one version of a strategy may do with each symbol.

    All versions share the strategy's position. It goes to another version as it is, and that version decides on it;
    until that one trades it, the version that traded it last may reduce it. What is nobody's is closed by whoever runs.
    """

    def __init__(self, version: int = 0) -> None:
        self.version = version
        self._routes: dict[str, Route] = {}
        self._traded_by: dict[str, int] = {}

    def of(self, symbol: str) -> Route:
        """Whose a symbol is; this version's, where nothing else was said."""
        return self._routes.get(symbol, Route.MINE)

    def change(self, routes: Mapping[str, Route]) -> list[str]:
        """Take routes by symbol; the symbols that go to somebody else by it."""
        changed = [symbol for symbol, route in routes.items() if route is not self.of(symbol)]
        self._routes.update(routes)
        return changed

    def hear(self, symbol: str, client_order_id: str) -> bool:
        """Take that an order was worked; whether it is another version's of this symbol, which is this version's."""
        version = named_version(client_order_id, symbol)
        if version is None:
            return False
        self._traded_by[symbol] = version
        return version != self.version and self.of(symbol) is Route.MINE

    def narrowed(self, symbol: str, permission: Permission) -> Permission:
        """What may be sent of a symbol, of what the world permits."""
        route = self.of(symbol)
        if route is Route.MINE:
            return permission
        if route is Route.OTHERS and self._traded_by.get(symbol) != self.version:
            return Permission(long=False, short=False, reduce_long=False, reduce_short=False)
        return replace(permission, long=False, short=False)

    def weighs(self, symbol: str) -> bool:
        """Whether any of a target is to be held."""
        return self.of(symbol) is not Route.NOBODYS


@dataclass(frozen=True, slots=True)
class Promotion:
    """When each side of a strategy was promoted, in ns; 0: it may take no risk in LIVE."""

    long_ns: int
    short_ns: int

    def precedes(self, target: float, since_ns: int) -> bool:
        """Whether the side of a target was promoted before the target was given; one of 0 waits for nothing."""
        return not target or since_ns > (self.long_ns if target > 0 else self.short_ns)


class StandingTargets:
    """The target that each command node stands at, and since when. `promotion` None: none waits for its change."""

    def __init__(self) -> None:
        self.promotion: Promotion | None = None
        self._stands: dict[str, tuple[float, int]] = {}

    def stand(self, node_id: str, target: float, time_ns: int) -> None:
        """Take over, in order, what a node says, whether it is acted on or not."""
        before = self._stands.get(node_id)
        if before is None or before[0] != target:
            self._stands[node_id] = (target, time_ns)

    def narrowed(self, node_id: str, permission: Permission) -> Permission:
        """What may be sent for a node: a target that stood at the promotion only reduces."""
        stands = self._stands.get(node_id)
        if self.promotion is None or stands is None or self.promotion.precedes(*stands):
            return permission
        return replace(permission, long=False, short=False)
