"""What the paper venue says of itself."""

from __future__ import annotations

from brokerage.domain.models.latency import DIRECT
from brokerage.domain.orders.lists import LIST_MAX
from brokerage.domain.orders.venue_traits import PAPER


def test_the_paper_venue_answers_within_a_second() -> None:
    assert (PAPER.acceptance_window_ns, PAPER.order_id_length_max) == (10**9, 64)
    assert (DIRECT.answer_timeout_ns, DIRECT.query_after_ns) == (2 * 10**9, 10**9)
    assert (DIRECT.latency_bars, DIRECT.latency_ms, DIRECT.answer_loss) == (0, 0, 0)
    assert LIST_MAX == 16
