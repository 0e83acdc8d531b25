"""Leases kept by explicit calls, each with its epoch: services take them for clients, which have no bus.

    leases = Tenures(bus, clock, lambda world_id: f"worldservice/campaigns/{world_id}")
    tenure = await leases.acquire(name, holder, ttl_s=10)      # not acquired: another has it until tenure.expires_at
    await leases.renew(name, tenure.epoch)                     # well before tenure.expires_at

Nothing of a tenure is kept here, so any process may renew what another one acquired.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from controlbus.bus import Bus
from controlbus.coordination.lease import MARGIN, Holding, Slot, check_ttl
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, InvalidRequest, NotReady, Violation

TTL_S = 10
HOLDER_MAX = 200
TRIES = 3


@dataclass(frozen=True, slots=True)
class Tenure:
    """One tenure of a lease. Acquired: ours, and counts as lost from `expires_at`; else another's, free then."""

    name: str
    holder: str
    epoch: int
    acquired: bool
    expires_at: datetime


def lease_lost(name: str, epoch: int, why: str) -> NotReady:
    """The error of a holder that must ask for the lease again."""
    return NotReady(
        "E_LEASE_LOST",
        f"the tenure {epoch} of {name} is over: {why}",
        hint="acquire the lease again, and go on after what was done last",
        metadata={"lease": name, "epoch": str(epoch)},
    )


class Tenures:
    """Leases by name, each in the slot that `slot_name` gives it.

    `holder` names one run of one process: who asks twice is the same tenure.
    """

    def __init__(self, bus: Bus, clock: Clock, slot_name: Callable[[str], str]) -> None:
        self._bus = bus
        self._clock = clock
        self._slot_name = slot_name

    async def acquire(self, name: str, holder: str, ttl_s: int = TTL_S) -> Tenure:
        """Try once; by its holder it extends it.

        Raises InvalidRequest (E_BUS_KEY, E_BUS_HOLDER, E_LEASE_TTL), Conflict (E_LEASE_CONTENDED), Unavailable.
        """
        check_ttl(ttl_s)
        _check_holder(holder)
        slot = self._slot(name)
        for _ in range(TRIES):
            present = await slot.read()
            if present is not None and present.holder not in ("", holder):
                return self._others(name, present, ttl_s)
            asked = self._clock.now()
            epoch = present.epoch if present is not None and present.holder else 0
            mine = await slot.write(holder, epoch, present.sequence if present else 0, ttl_s)
            if mine is not None:
                return _own(name, mine, asked, ttl_s)
        raise _contended(name)

    async def renew(self, name: str, epoch: int, ttl_s: int = TTL_S) -> Tenure:
        """Extend a tenure. Raises NotReady (E_LEASE_LOST) once it is over, InvalidRequest, Unavailable."""
        check_ttl(ttl_s)
        slot = self._slot(name)
        for _ in range(TRIES):
            present = await slot.read()
            if present is None or not present.holder or present.epoch != epoch:
                raise lease_lost(name, epoch, _now_held(present))
            asked = self._clock.now()
            mine = await slot.write(present.holder, epoch, present.sequence, ttl_s)
            if mine is not None:
                return _own(name, mine, asked, ttl_s)
        raise _contended(name)

    async def release(self, name: str, epoch: int) -> None:
        """End a tenure at once, if it still is one. Raises Unavailable: it then ends by itself."""
        slot = self._slot(name)
        present = await slot.read()
        if present is not None and present.holder and present.epoch == epoch:
            with suppress(Conflict):
                await slot.clear(present.sequence)

    async def current(self, name: str) -> Tenure | None:
        """Who has it now, None when it is free. Raises Unavailable."""
        present = await self._slot(name).read()
        return self._others(name, present, TTL_S) if present is not None and present.holder else None

    def _others(self, name: str, present: Holding, ttl_s: int) -> Tenure:
        expires_at = present.expires_at or self._clock.now() + timedelta(seconds=ttl_s)
        return Tenure(name, present.holder, present.epoch, False, expires_at)

    def _slot(self, name: str) -> Slot:
        return Slot(self._bus, self._slot_name(name))


def _own(name: str, mine: Holding, asked: datetime, ttl_s: int) -> Tenure:
    return Tenure(name, mine.holder, mine.epoch, True, asked + timedelta(seconds=ttl_s * (1 - MARGIN)))


def _contended(name: str) -> Conflict:
    return Conflict("E_LEASE_CONTENDED", f"the lease of {name} changed at every try", retry_after_s=0.5)


def _now_held(present: Holding | None) -> str:
    if present is None or not present.holder:
        return "it ran out, nobody has the lease now"
    return f"epoch {present.epoch} has the lease now"


def _check_holder(holder: str) -> None:
    if not 0 < len(holder) <= HOLDER_MAX:
        violation = Violation("holder", f"{len(holder)} characters", f"1 to {HOLDER_MAX}")
        raise InvalidRequest("E_BUS_HOLDER", str(violation), violations=[violation])
