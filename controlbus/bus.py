"""The bus of one process: connect once at start, then publish, subscribe, follow.

    bus = await Bus.connect(mesh.nats_url, service="gateway", credentials=mesh.nats_credentials,
                            replicas=mesh.stream_replicas, registry=runtime.metrics.registry)
    relay = Relay(db, outbox, bus, "gateway", clock); asyncio.create_task(relay.run())
    async with bus.subscribe(["decision_updated"], durable="gateway-decisions") as deliveries: ...
    async with bus.follow(["activation_updated"], snapshot) as states: ...
    await bus.close()

Connecting never waits for the broker: it is tried for ever in the background, streams are created when it answers, and
whatever needs it meanwhile raises Unavailable (publish) or waits (subscribe, follow). Not a source of truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from controlbus.events.control_event import MESSAGE_ID, check_types
from controlbus.events.follower import Follower, Snapshot
from controlbus.events.revisions import Current
from controlbus.events.subscription import Subscription
from controlbus.jetstream import streams, subjects
from controlbus.jetstream.connection import Link, down
from controlbus.jetstream.metrics import BusMetrics
from controlbus.jetstream.ordered_reader import Start
from qmtl.core.clock import Clock, SystemClock
from qmtl.core.errors import Conflict, InvalidRequest, Unavailable, Violation
from qmtl.core.tasks.ending import end
from qmtl.core.tasks.supervision import Ending, Supervised
from qmtl.rpc.telemetry.ids import new_id

log = structlog.stdlib.get_logger("qmtl.controlbus")

IN_HAND_MAX = 128
KEYS_MAX = 200  # more filters than this cost the broker more than a filter per type
READY_S = 10.0
WRITE_EVERY_S = 1.0
WRITE_TIMEOUT_S = 2.0  # with the pause three seconds: who asks twice in five sees an outage


@dataclass(frozen=True, slots=True)
class BusStatus:
    """The broker as this process sees it. `connected`: there is a connection, and the last write was acknowledged."""

    connected: bool
    since: datetime
    detail: str


class Bus:
    """One connection with its streams."""

    def __init__(self, link: Link, replicas: int, stream_bytes_max: int, clock: Clock) -> None:
        self.link = link
        self._replicas = replicas
        self._stream_bytes_max = stream_bytes_max
        self._clock = clock
        self._ready = asyncio.Event()
        self._refused: tuple[str, datetime] | None = None  # why no write is acknowledged, and since when
        self._works: list[Supervised] = []
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        service: str,
        credentials: Path | None = None,
        ca: Path | None = None,
        replicas: int = 1,
        stream_bytes_max: int = streams.BYTES_MAX,
        clock: Clock | None = None,
        registry: CollectorRegistry | None = None,
    ) -> Bus:
        """Start connecting and return at once. `service` names the connection; `registry`: where to count.

        `url`: one server or several separated by commas; `ca`: the CA of servers that speak TLS.

        Raises InvalidRequest (E_CONFIG) for what cannot ever work.
        """
        link = Link(url, service, credentials, BusMetrics(registry), ca)
        bus = cls(link, replicas, stream_bytes_max, clock or SystemClock())
        works = (("bus-link", bus.link.run), ("bus-streams", bus._prepare), ("bus-writes", bus._keep_writing))
        bus._works = [Supervised(name, work, bus._clock, _tell) for name, work in works]
        bus._tasks = [asyncio.create_task(work.run(), name=work.name) for work in bus._works]
        return bus

    async def ensure_streams(self, replicas: int | None = None) -> None:
        """Wait until the broker answers and every stream exists. Raises Unavailable after 10 s.

        Streams are also created in the background after each (re)connection: a service need not call this.
        """
        await self.link.wait_up(READY_S)
        await self._ensure(replicas or self._replicas)

    async def wait_ready(self, timeout_s: float | None = None) -> None:
        """Wait until connected with all streams in place. Raises Unavailable after the timeout."""
        if self._ready.is_set():
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            raise down(self.link.detail) from None

    async def publish(
        self,
        subject: str,
        body: bytes,
        *,
        msg_id: str,
        headers: Mapping[str, str] | None = None,
        expected_last: int | None = None,
    ) -> int:
        """Store a message and return its stream sequence; a repeated `msg_id` within two minutes is stored once.

        Services with state publish through their outbox, never here. `expected_last`: the subject's last sequence
        (0: none), Conflict E_BUS_SEQUENCE if it is another. Raises Unavailable: perhaps stored, repeat with that id.
        """
        head = {**(headers or {}), MESSAGE_ID: msg_id}
        if expected_last is not None:
            head["Nats-Expected-Last-Subject-Sequence"] = str(expected_last)
        try:
            sequence = await self.link.publish(subject, body, head)
        except Unavailable as error:
            self.link.metrics.publish_failed.labels(error.reason).inc()
            raise
        self.link.metrics.published.inc()
        return sequence

    def subscribe(
        self,
        types: Sequence[str],
        keys: Sequence[str] | None = None,
        durable: str | None = None,
        start: Start = Start.NEW,
        in_hand_max: int = IN_HAND_MAX,
    ) -> Subscription:
        """Events of some payload types, acknowledged one by one: `async with` it, then `async for`.

        `keys` None: all. `durable`: survives restarts and is shared by all who name it; without, it ends with the
        process. `start` counts only when the consumer is first made. Raises InvalidRequest for an unknown type.
        """
        check_types(tuple(types))
        return Subscription(self.link, _filters(types, keys), durable, start, in_hand_max)

    def follow(
        self, types: Sequence[str], snapshot: Snapshot, keys: Sequence[str] | None = None
    ) -> AbstractAsyncContextManager[AsyncGenerator[Current, None]]:
        """A copy of an owner's states: see controlbus.events.follower. Raises InvalidRequest for an unknown type."""
        return aclosing(self.follower(types, snapshot, keys).states())

    def follower(self, types: Sequence[str], snapshot: Snapshot, keys: Sequence[str] | None = None) -> Follower:
        """As `follow`, with the Follower itself, whose `synced` says whether the copy is complete."""
        check_types(tuple(types))
        return Follower(self.link, types, _filters(types, keys), snapshot, self._clock)

    def status(self) -> BusStatus:
        """Judged by doing the work: a broker that has lost its quorum, its disk or a stream is not `connected`."""
        ended = [work.trouble for work in self._works if work.trouble is not None]
        if self.link.up and self._refused is None and not ended:
            return BusStatus(True, self.link.since, "")
        if self.link.up and self._refused is not None:
            return BusStatus(False, self._refused[1], self._refused[0])
        return BusStatus(False, self.link.since, "; ".join([self.link.detail, *map(str, ended)]).strip("; "))

    async def write_check(self, timeout_s: float = WRITE_TIMEOUT_S) -> str:
        """Store a message in a stream; why the broker does not take it, "" when it does."""
        subject = f"$KV.{streams.LEASES}.{subjects.token(self.link.service)}.health"
        try:
            async with asyncio.timeout(timeout_s):
                await self.link.publish(subject, b"", {MESSAGE_ID: f"health-{new_id()}"})
        except TimeoutError:
            return f"a write was not acknowledged within {timeout_s:g} s: no quorum, a full disk, or it hangs"
        except (Unavailable, Conflict) as error:
            return error.message
        return ""

    async def nudge(self) -> None:
        """Call what the other processes of this service gave to `on_nudge`; at most once, and lost without a broker."""
        await self.link.nudge()

    def on_nudge(self, call: Callable[[], None]) -> Callable[[], None]:
        """Have it called when another process of this service nudges; returns what ends that."""
        return self.link.on_nudge(call)

    async def close(self) -> None:
        """End the connection; waiting calls raise Unavailable."""
        self.link.leave()
        await end(*self._tasks)

    async def _prepare(self) -> None:
        """After each connection: a broker may have come back without its store."""
        while True:
            generation = await self.link.wait_up()
            try:
                await self._ensure(self._replicas)
            except Unavailable as error:
                log.warning("streams_are_not_in_place_yet", error=str(error))
                await self.link.pause()
                continue
            self._ready.set()
            await self.link.wait_change(generation)
            self._ready.clear()

    async def _keep_writing(self) -> None:
        """A write each second, for as long as there is a connection and the streams are there."""
        while True:
            await self.link.wait_up()
            refused = await self.write_check() if await self._prepared() else "streams are not in place"
            if self.link.up:  # else the link itself says why
                self._note(refused)
            await self._clock.sleep(WRITE_EVERY_S)

    async def _prepared(self) -> bool:
        """Whether the streams are there, or come to be while one waits for them as for a write."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._ready.wait()
        return self._ready.is_set()

    def _note(self, refused: str) -> None:
        """What the broker says to writes: told when it begins and when it is over."""
        if refused and self._refused is None:
            log.error("broker_takes_no_writes", service=self.link.service, detail=refused)
        elif not refused and self._refused is not None:
            log.warning("broker_takes_writes_again", service=self.link.service)
        self.link.metrics.refused.set(bool(refused))
        since = self._refused[1] if self._refused else self._clock.now()
        self._refused = (refused, since) if refused else None

    async def _ensure(self, replicas: int) -> None:
        await streams.ensure(self.link, replicas, self._stream_bytes_max)


@asynccontextmanager
async def connected(url: str, *, service: str) -> AsyncIterator[Bus]:
    """A bus that is ready, closed at the end: for tools and tests."""
    bus = await Bus.connect(url, service=service)
    try:
        await bus.wait_ready(READY_S)
        yield bus
    finally:
        await bus.close()


def _tell(ending: Ending) -> None:
    """Without one of these tasks the process has no bus; the status says so until it is back."""
    log.error("bus_task_failed", task=ending.name, times=ending.times, exc_info=ending.error)


def _filters(types: Sequence[str], keys: Sequence[str] | None) -> list[str]:
    if keys is None:
        return [subjects.control_filter(kind) for kind in types]
    if len(keys) * len(types) > KEYS_MAX:
        want = f"at most {KEYS_MAX} pairs of type and key, or no keys at all"
        raise InvalidRequest(
            "E_BUS_FILTER", f"{len(keys)} keys is too many", violations=[Violation("keys", str(len(keys)), want)]
        )
    return sorted({subjects.control_filter(kind, key) for kind in types for key in keys})
