"""The line to a venue as simulated: how long an order takes to arrive, and which answers never come back.

The default line has no length and loses nothing: the paper venue then answers in the commit that takes the order.
Deterministic: the same seed and order id lose the same answer on every replica and replay.
"""

from __future__ import annotations

from dataclasses import dataclass

from blake3 import blake3

from brokerage.domain.money import RATE_ONE

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Link:
    """Latency in bars of data and in real milliseconds, and the share of answers lost, as a rate of 1e-8.

    An answer that has not come `answer_timeout_ns` after the send, where it could have come, makes the outcome
    unknown; the venue is asked by the order's venue id `query_after_ns` later.
    """

    latency_bars: int = 0
    latency_ms: int = 0
    answer_loss: int = 0
    seed: int = 0
    answer_timeout_ns: int = 2 * SECOND_NS
    query_after_ns: int = SECOND_NS
    remote: bool = False  # the venue is no simulation: nothing is answered in the commit that takes an order

    @property
    def direct(self) -> bool:
        """Whether orders arrive and are answered at once."""
        return not (self.remote or self.latency_bars or self.latency_ms or self.answer_loss)

    def loses_answer(self, venue_order_id: str) -> bool:
        """Whether the answer to this order is one of those that are lost."""
        drawn: bytes = blake3(f"{self.seed}/{venue_order_id}".encode()).digest()
        share: int = int.from_bytes(drawn[:8], "big") % RATE_ONE
        return share < self.answer_loss


DIRECT = Link()
