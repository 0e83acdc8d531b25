"""Who may compute and publish a ComputeKey: a lease per key, kept by explicit calls with its epoch.

    leases = ProducerLeases(bus, clock)
    tenure = await leases.acquire(compute_key, holder, ttl_s=10)      # not acquired: read the queue instead
    await leases.renew(compute_key, tenure.epoch)                     # well before tenure.expires_at
    writer = await RecordWriter.open(bus, queue, tenure.epoch)

Nothing of a tenure is kept here, so any process may renew what another one acquired (gateways do it for SDKs). The
lease decides who computes; that a bucket is written once is decided where it is written, by controlbus.records.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from controlbus.bus import Bus
from controlbus.coordination.lease import MARGIN, Holding, Slot, check_ttl
from controlbus.jetstream.subjects import compute_digest
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, InvalidRequest, NotReady, Violation

TTL_S = 10
HOLDER_MAX = 200
TRIES = 3


@dataclass(frozen=True, slots=True)
class Tenure:
    """A producer lease. Acquired: ours, and counts as lost from `expires_at`; else another's, free at `expires_at`."""

    compute_key: str
    holder: str
    epoch: int
    acquired: bool
    expires_at: datetime


def lease_lost(compute_key: str, epoch: int, why: str) -> NotReady:
    """The error of a producer that must ask for the lease again."""
    return NotReady(
        "E_LEASE_LOST",
        f"the tenure {epoch} of {compute_key} is over: {why}",
        hint="acquire the lease again, and go on after the last bucket written",
        metadata={"compute_key": compute_key, "epoch": str(epoch)},
    )


class ProducerLeases:
    """The leases of all ComputeKeys. `holder` names one run of one process: who asks twice is the same tenure."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    async def acquire(self, compute_key: str, holder: str, ttl_s: int = TTL_S) -> Tenure:
        """Try once; by its holder it extends it. Raises InvalidRequest (E_BUS_KEY, E_LEASE_TTL), Unavailable."""
        check_ttl(ttl_s)
        _check_holder(holder)
        slot = self._slot(compute_key)
        for _ in range(TRIES):
            present = await slot.read()
            if present is not None and present.holder not in ("", holder):
                return self._others(compute_key, present, ttl_s)
            asked = self._clock.now()
            epoch = present.epoch if present is not None and present.holder else 0
            mine = await slot.write(holder, epoch, present.sequence if present else 0, ttl_s)
            if mine is not None:
                return _own(compute_key, mine, asked, ttl_s)
        raise _contended(compute_key)

    async def renew(self, compute_key: str, epoch: int, ttl_s: int = TTL_S) -> Tenure:
        """Extend a tenure. Raises NotReady (E_LEASE_LOST) once it is over, InvalidRequest, Unavailable."""
        check_ttl(ttl_s)
        slot = self._slot(compute_key)
        for _ in range(TRIES):
            present = await slot.read()
            if present is None or not present.holder or present.epoch != epoch:
                raise lease_lost(compute_key, epoch, _now_held(present))
            asked = self._clock.now()
            mine = await slot.write(present.holder, epoch, present.sequence, ttl_s)
            if mine is not None:
                return _own(compute_key, mine, asked, ttl_s)
        raise _contended(compute_key)

    async def release(self, compute_key: str, epoch: int) -> None:
        """End a tenure at once, if it still is one. Raises Unavailable: it then ends by itself."""
        slot = self._slot(compute_key)
        present = await slot.read()
        if present is not None and present.holder and present.epoch == epoch:
            with suppress(Conflict):
                await slot.clear(present.sequence)

    async def current(self, compute_key: str) -> Tenure | None:
        """Who has it now, None when it is free. Raises Unavailable."""
        present = await self._slot(compute_key).read()
        return self._others(compute_key, present, TTL_S) if present is not None and present.holder else None

    def _others(self, compute_key: str, present: Holding, ttl_s: int) -> Tenure:
        expires_at = present.expires_at or self._clock.now() + timedelta(seconds=ttl_s)
        return Tenure(compute_key, present.holder, present.epoch, False, expires_at)

    def _slot(self, compute_key: str) -> Slot:
        return Slot(self._bus, f"producer/{compute_digest(compute_key)}")


def _own(compute_key: str, mine: Holding, asked: datetime, ttl_s: int) -> Tenure:
    return Tenure(compute_key, mine.holder, mine.epoch, True, asked + timedelta(seconds=ttl_s * (1 - MARGIN)))


def _contended(compute_key: str) -> Conflict:
    return Conflict("E_LEASE_CONTENDED", f"the lease of {compute_key} changed at every try", retry_after_s=0.5)


def _now_held(present: Holding | None) -> str:
    if present is None or not present.holder:
        return "it ran out, nobody has the lease now"
    return f"epoch {present.epoch} has the lease now"


def _check_holder(holder: str) -> None:
    if not 0 < len(holder) <= HOLDER_MAX:
        violation = Violation("holder", f"{len(holder)} characters", f"1 to {HOLDER_MAX}")
        raise InvalidRequest("E_BUS_HOLDER", str(violation), violations=[violation])
