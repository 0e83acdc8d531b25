"""Leases on a NATS KV bucket: one holder at a time, with an epoch that grows at each take-over.

    lease = Lease(bus, "worldservice/scheduler", clock, ttl_s=10)
    await lease.run(work)           # work(epoch) while held; cancelled when the lease may be lost; for ever

The holder counts its lease as lost a margin before the broker may give it away, on a clock that runs during suspend.
A lease alone never protects an outside effect: send the epoch along and refuse older ones where the act lands. Expiry
raises no watch event, so contenders poll. The epoch is the bucket's sequence, so it restarts if the broker's store is
lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import orjson
import structlog

from controlbus.bus import Bus
from controlbus.jetstream.streams import LEASES
from controlbus.jetstream.subjects import key_tokens
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, InvalidRequest, Unavailable, Violation
from qmtl.core.tasks.ending import end, unbroken

log = structlog.stdlib.get_logger("qmtl.controlbus.coordination")

TTL_MIN_S = 1  # the broker counts whole seconds
MARGIN = 0.25
RENEWALS = 3  # per time to live
DELETED = "KV-Operation"
TTL = "Nats-TTL"


@dataclass(frozen=True, slots=True)
class Holding:
    """What the bucket says: who holds the lease, since which epoch, at which sequence of the bucket."""

    holder: str
    epoch: int
    sequence: int
    expires_at: datetime | None = None  # as the broker counts; known of what was read


class Slot:
    """One lease's place in the bucket: compare-and-set, time to live per message."""

    def __init__(self, bus: Bus, name: str) -> None:
        self._link = bus.link
        self._subject = f"$KV.{LEASES}.{key_tokens(name)}"

    async def read(self) -> Holding | None:
        """Read from the bucket's leader; holder "" where the last one gave it up. Raises Unavailable."""
        last = await self._link.find(self._link.js.get_last_msg(f"KV_{LEASES}", self._subject))
        if last is None:
            return None
        sequence, headers = last.seq or 0, last.headers or {}
        if headers.get(DELETED):
            return Holding("", 0, sequence)
        value = orjson.loads(last.data or b"{}")
        expires_at = last.time and last.time + timedelta(seconds=int(headers.get(TTL, "0")))
        return Holding(value["holder"], value["epoch"] or sequence, sequence, expires_at)

    async def write(self, holder: str, epoch: int, last: int, ttl_s: int) -> Holding | None:
        """Epoch 0: a take-over, whose epoch is the sequence it gets. None when `last` is not the last sequence."""
        body = orjson.dumps({"holder": holder, "epoch": epoch})
        try:
            sequence = await self._link.publish(self._subject, body, {**_expecting(last), TTL: str(ttl_s)})
        except Conflict:
            return None
        return Holding(holder, epoch or sequence, sequence)

    async def clear(self, last: int) -> None:
        """Give it up. Raises Conflict, Unavailable."""
        await self._link.publish(self._subject, b"", {**_expecting(last), DELETED: "DEL"})


class Lease:
    """One contender for one named lease. `name` is any text, `/` between parts."""

    def __init__(self, bus: Bus, name: str, clock: Clock, *, ttl_s: int = 10, poll_s: float = 1.0) -> None:
        check_ttl(ttl_s)
        self._bus = bus
        self._name = name
        self._clock = clock
        self._ttl_s = ttl_s
        self._poll_s = poll_s
        self._slot = Slot(bus, name)
        self._me = f"{bus.link.service}/{uuid4().hex}"
        self._mine: Holding | None = None
        self._until = 0.0

    @property
    def held(self) -> bool:
        """True while nobody else can hold it; ask right before the act, and send the epoch along."""
        return self._mine is not None and self._clock.monotonic() < self._until

    @property
    def epoch(self) -> int:
        """The epoch of the present or last tenure, 0 before the first."""
        return self._mine.epoch if self._mine else 0

    async def acquire(self) -> int | None:
        """Try once; the epoch when held now, None when somebody else holds it. Raises Unavailable.

        Who is cancelled meanwhile holds nothing: what the broker may have taken is given up.
        """
        trying = asyncio.ensure_future(self._try())
        try:
            return await asyncio.shield(trying)
        except asyncio.CancelledError:
            await unbroken(self._disown(trying))
            raise

    async def _disown(self, trying: asyncio.Future[int | None]) -> None:
        """Wait for the broker's answer, which says what there is to give up."""
        await asyncio.wait({trying})
        if not trying.cancelled() and trying.exception() is None:
            await self.release()

    async def _try(self) -> int | None:
        present = await self._slot.read()
        if present is None:
            won = await self._write(0, 0)
        elif present.holder == self._me:
            won = await self._write(present.sequence, present.epoch if self.held else 0)
        else:
            won = not present.holder and await self._write(present.sequence, 0)
        return self.epoch if won else None

    async def renew(self) -> bool:
        """Extend the tenure; False once it is lost. A broker that is away costs nothing until the margin is met."""
        if self._mine is None:
            return False
        try:
            if await self._write(self._mine.sequence, self._mine.epoch):
                return True
            present = await self._slot.read()  # our own earlier renewal may have landed without its answer
            if present is not None and present.holder == self._me:
                return await self._write(present.sequence, self._mine.epoch)
        except Unavailable as error:
            log.warning("lease_not_renewed", lease=self._name, error=str(error))
            return self.held
        self._lose()
        return False

    async def release(self) -> None:
        """Give it up at once, if held, also where it is cancelled: the next contender need not wait for the expiry."""
        mine, self._mine = self._mine, None
        if mine is not None:
            await unbroken(self._give_up(mine))

    async def _give_up(self, mine: Holding) -> None:
        with suppress(Conflict, Unavailable):
            await self._slot.clear(mine.sequence)

    async def run(self, work: Callable[[int], Awaitable[None]]) -> None:
        """For ever: acquire, run `work(epoch)` while renewing, and again. What work raises is raised; its return
        releases the lease for a poll. Cancelling releases at once."""
        while True:
            try:
                epoch = await self.acquire()
            except Unavailable:
                epoch = None
            if epoch is not None:
                try:
                    await self._tenure(work, epoch)
                finally:
                    await self.release()
            await self._clock.sleep(self._poll_s)

    async def _tenure(self, work: Callable[[int], Awaitable[None]], epoch: int) -> None:
        log.info("lease_taken", lease=self._name, epoch=epoch)
        task = asyncio.ensure_future(work(epoch))
        keeper = asyncio.create_task(self._keep())
        try:
            await asyncio.wait([task, keeper], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            await unbroken(end(keeper, task))

    async def _keep(self) -> None:
        """Renew until lost; returns at the margin at the latest, even while a renewal hangs."""
        while self.held:
            await self._clock.sleep(self._ttl_s / RENEWALS)
            renewal = asyncio.create_task(self.renew())
            expiry = asyncio.create_task(self._clock.sleep(self._until - self._clock.monotonic()))
            await asyncio.wait([renewal, expiry], return_when=asyncio.FIRST_COMPLETED)
            for each in (renewal, expiry):
                each.cancel()
            if not self.held:
                self._lose()

    def _lose(self) -> None:
        self._until = 0.0
        self._bus.link.metrics.leases_lost.inc()
        log.warning("lease_lost", lease=self._name, epoch=self.epoch)

    async def _write(self, last: int, epoch: int) -> bool:
        asked = self._clock.monotonic()
        mine = await self._slot.write(self._me, epoch, last, self._ttl_s)
        if mine is None:
            return False
        self._mine = mine
        self._until = asked + self._ttl_s * (1 - MARGIN)
        return True


def check_ttl(ttl_s: int) -> None:
    """Raises InvalidRequest (E_LEASE_TTL)."""
    if ttl_s < TTL_MIN_S:
        violation = Violation("ttl_s", str(ttl_s), f"at least {TTL_MIN_S}")
        raise InvalidRequest("E_LEASE_TTL", str(violation), violations=[violation])


def _expecting(last: int) -> dict[str, str]:
    return {"Nats-Expected-Last-Subject-Sequence": str(last)}
