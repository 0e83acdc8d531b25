"""Cancels that a venue has refused or did not answer, and when each may go again: after 1, 2, 5 and 10 s, then every
10 s. One without an answer is asked about before.

It is of this process alone: after a restart they are asked for at once. Clients' own cancels never wait.
"""

from __future__ import annotations

from dataclasses import dataclass

WAITS_S = (1.0, 2.0, 5.0, 10.0)
FORGOTTEN_S = 60.0
"""After how long without another refusal a cancel is as one that was never refused: its order has ended meanwhile, or
nobody wants the cancel any more.
"""


@dataclass(frozen=True, slots=True)
class _Failed:
    times: int
    due_s: float
    waits: bool = True


class CancelPacing:
    """The cancels of one venue that came to nothing, by order. Instants are monotonic, in seconds."""

    def __init__(self) -> None:
        self._failed: dict[str, _Failed] = {}

    def failed(self, order_id: str, now_s: float) -> None:
        """The venue has refused to cancel an order, or has not answered."""
        before = self._failed.get(order_id)
        times = 0 if before is None else before.times
        self._failed[order_id] = _Failed(times + 1, now_s + WAITS_S[min(times, len(WAITS_S) - 1)])

    def may_ask(self, order_id: str) -> bool:
        """Whether the cancel of an order may be asked for: none that is waited with."""
        found = self._failed.get(order_id)
        return found is None or not found.waits

    def left_s(self, order_id: str, now_s: float) -> float:
        """How long the cancel of an order is not to go again."""
        found = self._failed.get(order_id)
        return 0.0 if found is None else max(found.due_s - now_s, 0.0)

    def end_waits(self, now_s: float) -> bool:
        """Let those be asked for again whose wait is over; whether there are any."""
        kept = {name: one for name, one in self._failed.items() if now_s < one.due_s + FORGOTTEN_S}
        over = [name for name, one in kept.items() if one.waits and one.due_s <= now_s]
        self._failed = kept | {name: _Failed(kept[name].times, kept[name].due_s, False) for name in over}
        return bool(over)
