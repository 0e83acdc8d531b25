"""Reading a stream, CONTROL unless named, in order from a position, across reconnects, without acknowledgements.

For followers and for `Tail`. Lost deliveries show as a gap in the consumer's own sequence and are read again. When the
stream no longer keeps what comes after the position, TooOld says so: it is never skipped silently.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import structlog
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamInfo, StreamState

from controlbus.jetstream.connection import Link
from controlbus.jetstream.pull_consumer import ConsumerGone, Puller
from controlbus.jetstream.streams import CONTROL
from qmtl.core.errors import OutOfRange, Unavailable

log = structlog.stdlib.get_logger("qmtl.controlbus.jetstream")

BATCH = 256
INACTIVE_S = 60.0


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: Start.NEW, Start.ALL, Start(after=sequence) or Start(time=instant)."""

    after: int | None = None
    time: datetime | None = None

    NEW: ClassVar[Start]
    ALL: ClassVar[Start]


Start.NEW = Start()
Start.ALL = Start(time=datetime.fromtimestamp(0, UTC))  # after=0 would be too old once anything has expired


class TooOld(OutOfRange):
    """The position lies before what the stream keeps (or after what it ever had, when it was made anew)."""

    def __init__(self, position: int, first: int, last: int) -> None:
        super().__init__(
            "E_RESUME_TOO_OLD",
            f"sequence {position} cannot be resumed: the stream keeps {first} to {last}",
            hint="start from a later sequence, or from a snapshot",
            metadata={"first_sequence": str(first), "last_sequence": str(last)},
        )


async def control_info(link: Link, stream: str = CONTROL.name) -> StreamInfo:
    """The stream as it is now. Raises Unavailable."""
    return await link.ask(link.js.stream_info(stream))


def check_kept(position: int, state: StreamState) -> None:
    """Raises TooOld when what follows `position` is not all there. An empty stream keeps what follows its last."""
    if position > state.last_seq or (state.first_seq > position + 1 and state.last_seq > position):
        raise TooOld(position, state.first_seq, state.last_seq)


def check_had(position: int, state: StreamState) -> None:
    """Raises TooOld for a position the stream never had. For readers that see by other means what was dropped."""
    if position > state.last_seq:
        raise TooOld(position, state.first_seq, state.last_seq)


async def read(
    link: Link,
    filters: Sequence[str],
    start: Start,
    stream: str = CONTROL.name,
    check: Callable[[int, StreamState], None] = check_kept,
) -> AsyncGenerator[tuple[int, Msg], None]:
    """Yield (stream sequence, message) for ever, each once and in order. Raises TooOld; close it with aclosing."""
    position = start.after
    created: datetime | None = None
    while True:
        await link.wait_up()
        try:
            info = await control_info(link, stream)
            if position is None and start == Start.NEW:
                position = info.state.last_seq
            if position is not None:
                check(position, info.state)
            if created is not None and info.created != created:
                raise TooOld(position or 0, info.state.first_seq, info.state.last_seq)
            created = info.created
            async with aclosing(_read_once(link, filters, position, start, stream)) as messages:
                async for sequence, message in messages:
                    position = sequence
                    yield sequence, message
        except (ConsumerGone, Unavailable) as error:
            if link.up:
                log.warning("reader_made_anew", position=position, error=str(error))
            await link.pause()


async def _read_once(
    link: Link, filters: Sequence[str], position: int | None, start: Start, stream: str
) -> AsyncGenerator[tuple[int, Msg], None]:
    """Read from one consumer until it is gone or a delivery was lost."""
    config = ConsumerConfig(
        name=link.new_name(),
        filter_subjects=list(filters),
        ack_policy=AckPolicy.NONE,
        inactive_threshold=INACTIVE_S,
        mem_storage=True,
        num_replicas=1,
        deliver_policy=DeliverPolicy.BY_START_TIME if position is None else DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=None if position is None else position + 1,
        opt_start_time=start.time if position is None else None,
    )
    info = await link.ask(link.js.add_consumer(stream, config))
    async with Puller(link, stream, info.name, BATCH) as puller:
        expected = 1
        while True:
            message = await puller.next()
            place = message.metadata.sequence
            if place.consumer != expected:
                raise ConsumerGone(f"delivery {expected} was lost")
            expected += 1
            yield place.stream, message
