"""The status of a service process, as every StatusService answers it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Final, TypeVar

from sqlalchemy import Connection

from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock
from qmtl.core.errors import Exhausted, Unavailable
from qmtl.rpc.outages import Outage, Outages
from qmtl.rpc.steady import clock_detail
from qmtl.sql.database import STORE, Database
from qmtl.wire.instants import instant_to_proto

COUNT_S: Final = 1.0
T = TypeVar("T")


async def counted(db: Database, outages: Outages, count: Callable[[Connection], T]) -> T | None:
    """What a status counts in the store; None while that is away: a status tells of an outage and waits for none."""
    if STORE in outages.current():
        return None
    try:
        async with asyncio.timeout(COUNT_S):
            return await db.read(count)
    except (TimeoutError, Unavailable, Exhausted):
        return None


@dataclass(frozen=True, slots=True)
class StatusSources:
    """What tells the status of a process that has run since `started_at`; `relay`: of its outbox, if it has one."""

    service: str
    started_at: datetime
    bus: Bus
    clock: Clock
    outages: Outages
    relay: Relay | None = None

    async def counted(self, db: Database, count: Callable[[Connection], T]) -> T | None:
        """See `counted`."""
        return await counted(db, self.outages, count)

    def status(
        self, outbox_depth: int | None = 0, dependencies: Sequence[commonpb.DependencyStatus] = ()
    ) -> commonpb.ServiceStatus:
        """What the process knows of itself: the broker first, then the dependencies it names, then what is away.

        Degraded while the broker is away, events wait for it too long, a dependency is not reachable, there are outages
        or nothing could be counted (`outbox_depth` None).
        """
        outages = self.outages.current()
        silent = store_status(outages, answers=outbox_depth is not None)
        told = *dependencies, *clock_status(self.clock), *silent, *outage_statuses(outages)
        known = [broker_status(self.bus), *told]
        is_late = self.relay is not None and self.relay.status().degraded
        away = any(each.state != commonpb.DEPENDENCY_STATE_REACHABLE for each in known)
        return commonpb.ServiceStatus(
            service=self.service,
            version=version("qmtl"),
            started_at=instant_to_proto(self.started_at),
            dependencies=known,
            outbox_depth=outbox_depth or 0,
            uncounted=outbox_depth is None,
            degraded=is_late or away,
        )


def dependency_status(name: str, *, reachable: bool, detail: str = "") -> commonpb.DependencyStatus:
    """One dependency, with what is wrong while it cannot be reached."""
    state = commonpb.DEPENDENCY_STATE_REACHABLE if reachable else commonpb.DEPENDENCY_STATE_UNREACHABLE
    return commonpb.DependencyStatus(name=name, state=state, detail=detail)


def store_status(outages: Mapping[str, Outage], *, answers: bool) -> list[commonpb.DependencyStatus]:
    """A store that did not answer now, though the check of it has patience yet."""
    if answers or STORE in outages:
        return []
    return [dependency_status(STORE, reachable=False, detail=f"no answer within {COUNT_S:g} s")]


def clock_status(clock: Clock) -> list[commonpb.DependencyStatus]:
    """Told while the machine's wall clock has been set and the service's own time has not met it again."""
    detail = clock_detail(clock)
    return [dependency_status("clock", reachable=True, detail=detail)] if detail else []


def outage_statuses(outages: Mapping[str, Outage]) -> list[commonpb.DependencyStatus]:
    """What is away in the process, each as a dependency: unreachable when the service can do nothing without it."""
    return [
        commonpb.DependencyStatus(
            name=name,
            state=commonpb.DEPENDENCY_STATE_UNREACHABLE if one.vital else commonpb.DEPENDENCY_STATE_DEGRADED,
            detail=f"{one.detail}, since {one.since:%Y-%m-%dT%H:%M:%SZ}",
        )
        for name, one in sorted(outages.items())
    ]


def broker_status(bus: Bus) -> commonpb.DependencyStatus:
    """The connection to the broker as this process sees it."""
    nats = bus.status()
    detail = "" if nats.connected else f"{nats.detail}, since {nats.since:%Y-%m-%dT%H:%M:%SZ}"
    return dependency_status("nats", reachable=nats.connected, detail=detail)
