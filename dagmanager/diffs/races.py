"""Writes of the graph that run again when another process wrote the same rows first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from dagmanager.metrics import GraphMetrics
from dagmanager.plans.store import Raced
from qmtl.core.errors import Unavailable
from qmtl.sql.database import Database

T = TypeVar("T")
TRIES = 10


class RacingWrites:
    """Runs transactions that raise Raced when they must be tried again."""

    def __init__(self, db: Database, metrics: GraphMetrics) -> None:
        self._db = db
        self._metrics = metrics

    async def run(self, work: Callable[[Connection], T]) -> T:
        """The result of the work once it is committed. Raises Unavailable (E_GRAPH_BUSY) after ten lost races."""
        for _ in range(TRIES):
            try:
                return await self._db.write(work)
            except Raced:
                self._metrics.races.inc()
        raise Unavailable("E_GRAPH_BUSY", "other diffs kept changing the same nodes", retry_after_s=0.5)
