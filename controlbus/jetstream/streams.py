"""The streams of the mesh: what each keeps and for how long, created or brought up to date at start.

Ages are the queue class's time to live plus grace plus the 14 days the stream keeps longer than the catalogue.
CONTROL has no per-subject limit on purpose: it would delete in the middle, where a reader cannot see it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo

from controlbus.jetstream import subjects
from controlbus.jetstream.connection import Link, forbidden
from qmtl.core.errors import Unavailable

DAY_S = 86_400.0
BYTES_MAX = 512 * 1024 * 1024  # of a stream that reserves its space
DUPLICATE_WINDOW_S = 120.0


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream. `reserved`: the broker keeps `mesh.stream_bytes_max` bytes for it; else the disk is its limit."""

    name: str
    subject: str
    age_s: float
    reserved: bool = False

    def config(self, replicas: int, bytes_max: int) -> StreamConfig:
        return StreamConfig(
            name=self.name,
            subjects=[self.subject],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            storage=StorageType.FILE,
            max_age=self.age_s,
            max_bytes=bytes_max if self.reserved else -1,
            num_replicas=replicas,
            duplicate_window=DUPLICATE_WINDOW_S,
            allow_direct=True,
        )


LEASES = "leases"  # the KV bucket of controlbus.coordination.lease
LIMITS = "limits"  # the KV bucket of controlbus.coordination.token_bucket

CONTROL = StreamSpec("CONTROL", f"{subjects.CONTROL}.>", DAY_S, reserved=True)
DLQ = StreamSpec("DLQ", f"{subjects.DLQ}.>", 30 * DAY_S, reserved=True)
STREAMS: tuple[StreamSpec, ...] = (
    CONTROL,
    StreamSpec("INGEST", f"{subjects.INGEST}.>", 90 * DAY_S),
    StreamSpec("ORDERS", f"{subjects.ORDERS}.>", 90 * DAY_S),
    StreamSpec("FILLS", f"{subjects.FILLS}.>", 90 * DAY_S),
    StreamSpec("DATA_RAW", f"{subjects.DATA}.raw.>", (7 + 1 + 14) * DAY_S),
    StreamSpec("DATA_INDICATOR", f"{subjects.DATA}.indicator.>", (30 + 3 + 14) * DAY_S),
    StreamSpec("DATA_TRADE", f"{subjects.DATA}.trade.>", (90 + 7 + 14) * DAY_S),
    DLQ,
)


def reserved_bytes(bytes_max: int) -> int:
    """How much of its disk the broker sets aside for all streams together."""
    return bytes_max * sum(spec.reserved for spec in STREAMS)


async def ensure(link: Link, replicas: int, bytes_max: int) -> None:
    """Create what is missing and update what differs; a service without the right to do so only reads.

    Raises Unavailable.
    """
    for spec in STREAMS:
        await _ensure(link, spec.config(replicas, bytes_max))
    for bucket in (LEASES, LIMITS):
        await _ensure(link, _bucket(bucket, replicas))


def _bucket(name: str, replicas: int) -> StreamConfig:
    """A KV bucket as nats-py would make it, with a time to live per message."""
    return StreamConfig(
        name=f"KV_{name}",
        subjects=[f"$KV.{name}.>"],
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW,
        storage=StorageType.FILE,
        max_age=0,
        max_bytes=-1,
        max_msgs_per_subject=1,
        num_replicas=replicas,
        duplicate_window=DUPLICATE_WINDOW_S,
        allow_rollup_hdrs=True,
        deny_delete=True,
        allow_direct=True,
        allow_msg_ttl=True,
    )


async def _ensure(link: Link, wanted: StreamConfig) -> None:
    """Of several services that create a stream at once one wins; the others are refused, wait and find it."""
    present = await link.find(link.js.stream_info(wanted.name or ""))
    if present is None:
        await _asked(link, "CREATE", wanted, link.js.add_stream)
    elif _differs(present.config, wanted):
        with _if_allowed():
            await _asked(link, "UPDATE", wanted, link.js.update_stream)


async def _asked(
    link: Link, act: str, wanted: StreamConfig, call: Callable[[StreamConfig], Awaitable[StreamInfo]]
) -> None:
    """Ask once per connection for what permissions may leave to the operator service. Raises Unavailable."""
    subject = f"$JS.API.STREAM.{act}.{wanted.name}"
    if subject.lower() in link.forbidden:
        raise forbidden(subject)
    await link.ask(call(wanted), subject)


@contextmanager
def _if_allowed() -> Iterator[None]:
    """A stream that is there will do until who may change it does so."""
    try:
        yield
    except Unavailable as error:
        if error.reason != "E_BUS_FORBIDDEN":
            raise


def _differs(present: StreamConfig, wanted: StreamConfig) -> bool:
    return (
        present.subjects != wanted.subjects
        or present.max_age != wanted.max_age
        or present.max_bytes != wanted.max_bytes
        or present.num_replicas != wanted.num_replicas
        or present.duplicate_window != wanted.duplicate_window
    )
