"""The time that each phase of one fetch takes, against its budget. What the caller takes to read is not counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from qmtl.core.errors import DeadlineExceeded
from seamless.domain.sla import Phase, Sla
from seamless.metrics import SeamlessMetrics


class Phases:
    """The budgets of one fetch, and what is spent of them."""

    def __init__(self, sla: Sla, metrics: SeamlessMetrics) -> None:
        self.sla = sla
        self.spent_s: dict[Phase, float] = {}
        self._metrics = metrics

    @asynccontextmanager
    async def within(self, phase: Phase) -> AsyncIterator[None]:
        """Spend a phase's budget. Raises DeadlineExceeded (E_SLA_BREACH) when it, or that of all phases, runs out."""
        left_s = self.sla.budget_s(phase) - self.spent_s.get(phase, 0.0)
        whole_s = self.sla.total_s - sum(self.spent_s.values())
        short = Phase.TOTAL if whole_s < left_s else phase
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            async with asyncio.timeout(min(left_s, whole_s)):
                yield
        except TimeoutError:
            self._metrics.breaches.labels(short.value).inc()
            text = f"the {short.value} phase took more than {self.sla.budget_s(short):g} s"
            raise DeadlineExceeded("E_SLA_BREACH", text, metadata={"phase": short.value}) from None
        finally:
            took_s = loop.time() - began_s
            self.spent_s[phase] = self.spent_s.get(phase, 0.0) + took_s
            self._metrics.phase_seconds.labels(phase.value).observe(took_s)
