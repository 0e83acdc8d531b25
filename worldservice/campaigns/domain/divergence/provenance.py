"""Whether the orders of a replay can be one: a runner might send what the account traded instead. Pure.

What a strategy decides by a fraction of equity follows the equity of whoever decides: the replay's in a replay, the
account's in a copy. A copy of fixed sizes, or of such as move by themselves, looks like an equal replay: not found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

ORDERS_MIN = 10
MOVED_MIN = Decimal("0.002")
"""How much sizes have to move against an equity, so that lots and fees do not explain it."""
CLOSER = 4
"""How many times closer sizes have to follow the account's equity than the replay's."""
OTHERS = ("margin-call-", "flatten-", "demotion-", "rb-")
"""How ids of orders begin that brokerage, people and rebalancing runs send for a strategy: no replay decides them."""


@dataclass(frozen=True, slots=True)
class SizedOrder:
    """What an order of the list wants held, and the mark that it was decided at; None: it is not known."""

    client_order_id: str
    symbol: str
    decided_at: datetime
    target: Decimal | None
    mark: Decimal | None


Equities = Mapping[datetime, Decimal]


def no_replay(orders: Sequence[SizedOrder], live: Equities, replay: Equities) -> Iterator[str]:
    """Why the orders are none that a replay decides, as sentences."""
    others = sorted(one.client_order_id for one in orders if one.client_order_id.startswith(OTHERS))
    if others:
        first = f"{others[0]} first: it is no replay"
        yield f"{len(others)} orders of the list were sent by others than the strategy, {first}"
    for symbol, count in follows_live(orders, live, replay):
        what = f"the sizes of {count} orders in {symbol}"
        yield f"{what} follow the account's equity, not the replay's: the list is a copy"


def follows_live(orders: Iterable[SizedOrder], live: Equities, replay: Equities) -> Iterator[tuple[str, int]]:
    """Symbols whose orders, and how many, are sized by the account's equity: positions wanted over it hardly move, and
    over the replay's equity they do.
    """
    shares = defaultdict[str, list[tuple[Decimal, Decimal]]](list)
    for one in orders:
        mine, theirs = live.get(one.decided_at, Decimal(0)), replay.get(one.decided_at, Decimal(0))
        if one.target and one.mark and mine > 0 and theirs > 0:
            worth = abs(one.target) * one.mark
            shares[one.symbol].append((worth / mine, worth / theirs))
    for symbol, pairs in sorted(shares.items()):
        of_live, of_replay = (_spread(side) for side in zip(*pairs, strict=True))
        if len(pairs) >= ORDERS_MIN and of_replay >= MOVED_MIN and of_live * CLOSER <= of_replay:
            yield symbol, len(pairs)


def _spread(shares: Sequence[Decimal]) -> Decimal:
    """By how much of itself the smallest share is below the largest."""
    return max(shares) / min(shares) - 1
