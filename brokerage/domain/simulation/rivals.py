"""In which order a bar meets orders of which only one fills."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from brokerage.domain.models.fills.brackets import Rival, first_filled
from brokerage.domain.models.fills.outcome import Match
from brokerage.domain.orders.record import OrderRecord


def in_turn(resting: Sequence[OrderRecord], alone: Callable[[OrderRecord], Match]) -> Sequence[OrderRecord]:
    """The orders in the order of their acceptance, but of rivals the one first that comes first in the bar, by the rule
    of `first_filled`: where only the path could tell, the worse for the owner.
    """
    if not any(record.order.contingency for record in resting):
        return resting
    here, turns, seen = {record.id: record for record in resting}, list[OrderRecord](), set[str]()
    for record in resting:
        group = [here[name] for name in (record.id, *record.rivals) if name in here and name not in seen]
        if record.id in seen:
            continue
        ready = [one for one in group if one.acknowledged]
        first = first_filled([Rival(one.id, one.order.side, alone(one)) for one in ready]) if len(ready) > 1 else None
        turns += sorted(group, key=lambda one: first is None or one.id != first.order_id)
        seen |= {one.id for one in group}
    return turns
