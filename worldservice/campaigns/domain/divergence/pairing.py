"""Pairs of a live run's orders and its replay's: by what was decided when, then within one bar."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class TradedOrder:
    """An order and what it came to.

    `quantity` filled in units of the instrument; `notional` the sum of quantity times price, without multiplier; `fee`
    in the account's currency, negative for a rebate; `arrival` the mark when it was decided, None: unknown; `denial`
    the rule that refused it.
    """

    client_order_id: str
    symbol: str
    buys: bool
    decided_at: datetime
    quantity: Decimal = ZERO
    notional: Decimal = ZERO
    fee: Decimal = ZERO
    arrival: Decimal | None = None
    denial: str = ""

    @property
    def sign(self) -> int:
        """1 of a buy, -1 of a sell."""
        return 1 if self.buys else -1


class PairKind(Enum):
    """EXACT: decided at the same instant. SHIFTED: within one bar of each other."""

    EXACT = "EXACT"
    SHIFTED = "SHIFTED"


@dataclass(frozen=True, slots=True)
class Pair:
    """An order of the live run and the same order of the replay."""

    live: TradedOrder
    replay: TradedOrder
    kind: PairKind = PairKind.EXACT


@dataclass(frozen=True, slots=True)
class Pairing:
    """Every order of both sides, once."""

    pairs: tuple[Pair, ...]
    only_live: tuple[TradedOrder, ...]
    only_replay: tuple[TradedOrder, ...]

    @property
    def match_rate(self) -> float:
        """Pairs over pairs and orders without one; NaN without any order."""
        total = len(self.pairs) + len(self.only_live) + len(self.only_replay)
        return len(self.pairs) / total if total else float("nan")

    def since(self, start: datetime) -> Pairing:
        """Orders decided from an instant on, or that filled anything, with the orders that they are paired with."""

        def counts(*orders: TradedOrder) -> bool:
            return any(order.decided_at >= start or order.quantity for order in orders)

        return Pairing(
            tuple(pair for pair in self.pairs if counts(pair.live, pair.replay)),
            tuple(order for order in self.only_live if counts(order)),
            tuple(order for order in self.only_replay if counts(order)),
        )


_Key = tuple[str, bool, datetime, int]


def pair_orders(live: Sequence[TradedOrder], replay: Sequence[TradedOrder], bar: timedelta) -> Pairing:
    """Pair by (symbol, side, decided_at, ordinal), then what is left by symbol and side within `bar`, oldest first.

    The ordinal counts orders of one symbol, side and instant in the order that they are given in.
    """
    mine, theirs = _by_key(live), _by_key(replay)
    pairs, unpaired = [], []
    for key, order in mine.items():
        other = theirs.pop(key, None)
        if other is None:
            unpaired.append(order)
        else:
            pairs.append(Pair(order, other))
    left, right = _by_time(unpaired), _by_time(theirs.values())
    waiting: dict[tuple[str, bool], list[TradedOrder]] = defaultdict(list)
    for order in right:
        waiting[order.symbol, order.buys].append(order)
    only_live = []
    for order in left:
        candidates = waiting[order.symbol, order.buys]
        near = next((one for one in candidates if abs(one.decided_at - order.decided_at) <= bar), None)
        if near is None:
            only_live.append(order)
            continue
        candidates.remove(near)
        pairs.append(Pair(order, near, PairKind.SHIFTED))
    only_replay = _by_time(order for orders in waiting.values() for order in orders)
    pairs.sort(key=lambda pair: (pair.live.decided_at, pair.live.client_order_id))
    return Pairing(tuple(pairs), tuple(only_live), tuple(only_replay))


def _by_key(orders: Sequence[TradedOrder]) -> dict[_Key, TradedOrder]:
    repeats: dict[_Key, int] = defaultdict(int)
    found: dict[_Key, TradedOrder] = {}
    for order in orders:
        key = (order.symbol, order.buys, order.decided_at, 0)
        if key in found:
            repeats[key] += 1
            key = (*key[:3], repeats[key])
        found[key] = order
    return found


def _by_time(orders: Iterable[TradedOrder]) -> list[TradedOrder]:
    return sorted(orders, key=lambda order: (order.decided_at, order.client_order_id))
