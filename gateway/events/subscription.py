"""Event streams for clients: snapshot of each topic, then every change in order, resumable at any gateway.

Subscribers share the gateway's feeds and take at their own pace, so a slow one delays nobody; a place older than the
feed is read from the broker. Nothing about the broker shows but a signed place.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from google.protobuf.message import Message

from controlbus.events.control_event import payload_type
from controlbus.jetstream.ordered_reader import Start, TooOld, control_info, read
from gateway.events.feed import EVERY_WORLD, Feed, Newest, born_of
from gateway.events.snapshots import Snapshots
from gateway.events.tokens import Scope, StreamKeys, StreamPosition
from gateway.events.topics import concerns, relayed, types_of
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import Clock
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.wire.instants import instant_to_proto

T = TypeVar("T", bound=Message)
Frames = AsyncGenerator[eventpb.Frame, None]
SHARED_BYTES_MAX = 4 * 1024 * 1024  # of the newest frames: who is further behind makes its own
CATCH_UP_BATCH = 128
CONTROL_BYTES_MAX = 512 * 1024  # of a frame's control events, unless one alone is larger; a frame has 1 MiB at most
ORDERS_BYTES_MAX = 256 * 1024
AHEAD = timedelta(minutes=2)  # an owner's outbox is not later than that while the broker answers
AHEAD_MAX = 200
LOOK_S = 0.5  # how long a drain or the end of a stream's token may wait to be seen


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How often a silent stream says where it stands, when it is called slow, how early it warns of a window's end."""

    bookmark_s: float
    lag_max: int
    warn: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class StreamSources:
    """What event streams are made from."""

    control: Feed[controlpb.ControlEvent]
    orders: Feed[orderpb.OrderEvents]
    snapshots: Snapshots
    keys: StreamKeys
    clock: Clock
    limits: StreamLimits
    closes_at: Callable[[str], datetime | None] = field(default=lambda _world: None)
    shared: SharedFrames = field(default_factory=lambda: SharedFrames())


class SharedFrames:
    """Frames of the last moments: subscribers of one scope at one place get the same one, made and signed once."""

    def __init__(self, bytes_max: int = SHARED_BYTES_MAX) -> None:
        self._frames: OrderedDict[tuple[Scope, StreamPosition, StreamPosition], eventpb.Frame] = OrderedDict()
        self._bytes_max = bytes_max
        self.bytes = 0

    def find(self, scope: Scope, start: StreamPosition, end: StreamPosition) -> eventpb.Frame | None:
        """The frame between two positions of a scope, if one was made lately."""
        return self._frames.get((scope, start, end))

    def put(self, scope: Scope, start: StreamPosition, end: StreamPosition, frame: eventpb.Frame) -> eventpb.Frame:
        """Keep a frame for others; nobody changes it any more."""
        if (scope, start, end) not in self._frames:
            self._frames[scope, start, end] = frame
            self.bytes += frame.ByteSize()
        while self.bytes > self._bytes_max:
            self.bytes -= self._frames.popitem(last=False)[1].ByteSize()
        return frame


async def ends(sources: StreamSources, scope: Scope) -> StreamPosition:
    """Where the streams end now: a snapshot taken next shows at least that. Raises Unavailable."""
    link = sources.control.bus.link
    control = await control_info(link, sources.control.source.stream)
    with_orders = eventpb.TOPIC_ORDERS in scope.topics
    orders = (await control_info(link, sources.orders.source.stream)).state.last_seq if with_orders else 0
    return StreamPosition(control.state.last_seq, orders, born_of(control))


async def frames(sources: StreamSources, scope: Scope, resume_token: str, ending: asyncio.Event) -> Frames:
    """Frames of one subscription until `ending`, whose last one is GOING_AWAY."""
    place = sources.keys.place(resume_token, scope) if resume_token else None
    while True:
        follower = _Follower(sources, scope, ending)
        try:
            async with aclosing(follower.follow(place)) as following:
                async for frame in following:
                    yield frame
            return
        except TooOld as error:
            yield _notice(eventpb.NOTICE_KIND_RESUME_TOO_OLD, "", error.message)
            place = None


class _Follower:
    """One pass: from a snapshot or from a place."""

    def __init__(self, sources: StreamSources, scope: Scope, ending: asyncio.Event) -> None:
        self._sources = sources
        self._scope = scope
        self._ending = ending
        self._types = types_of(scope)
        self._with_orders = eventpb.TOPIC_ORDERS in scope.topics
        self._ahead: dict[str, int] = {}  # revisions the snapshot has shown whose events may still come
        self._ahead_until = sources.clock.monotonic() + AHEAD.total_seconds()
        self._place = StreamPosition(0, 0)
        self._told_lagging = False
        self._told_closing: datetime | None = None

    async def follow(self, place: StreamPosition | None) -> Frames:
        """Snapshots unless resumed, what the feeds do not have any more, then what comes. Raises TooOld."""
        self._place = await ends(self._sources, self._scope)
        if place is None:
            for topic in self._scope.topics:
                for snapshot in await self._sources.snapshots.of(topic, self._scope):
                    yield self._shown(snapshot)
        else:
            self._check(place, self._place)
            self._ahead = dict(place.ahead)
        yield self._bookmark()
        woken = asyncio.Event()
        world = self._scope.world_id
        with (
            self._sources.control.woken_by(world, woken),
            self._sources.orders.woken_by(world, woken),
        ):
            while not self._ending.is_set():
                if self._place.born != self._sources.control.born:
                    self._check(self._place, await ends(self._sources, self._scope))
                async with aclosing(self._catch_up()) as old:
                    async for frame in old:
                        yield frame
                if self._lags():
                    yield self._notice(eventpb.NOTICE_KIND_LAGGING, "events wait for this stream: read faster")
                if self._window_closes():
                    detail = f"only reducing orders pass from {self._told_closing:%Y-%m-%dT%H:%M:%SZ} on"
                    yield self._notice(eventpb.NOTICE_KIND_WINDOW_CLOSING, detail)
                yield await self._next(woken)
        yield self._notice(eventpb.NOTICE_KIND_GOING_AWAY, "resume here or elsewhere with the token")

    async def _next(self, woken: asyncio.Event) -> eventpb.Frame:
        """The next batch of events, or a bookmark when there is none for a while."""
        deadline = self._sources.clock.monotonic() + self._sources.limits.bookmark_s
        while True:
            woken.clear()
            before = self._place
            frame = self._take()
            if frame is not None:
                return frame
            left = deadline - self._sources.clock.monotonic()
            if left <= 0 or self._ending.is_set() or self._is_below_floor():
                return self._bookmark()
            if self._place != before:  # all of it was filtered out: there may be more
                await asyncio.sleep(0)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_S)):
                    await woken.wait()

    def _take(self) -> eventpb.Frame | None:
        """What the feeds have after this place, as a frame; the place moves also past what is filtered out."""
        if self._is_below_floor():
            return None
        control, orders = self._sources.control, self._sources.orders
        start, world = self._place, self._scope.world_id
        found, control_reached = control.since(world, start.control, bytes_max=CONTROL_BYTES_MAX)
        steps, orders_reached = list[tuple[int, orderpb.OrderEvents]](), start.orders
        if self._with_orders and not _fills_a_frame(found):
            steps, orders_reached = orders.since(world, start.orders, bytes_max=ORDERS_BYTES_MAX)
        self._place = end = StreamPosition(control_reached, orders_reached, start.born)
        if not found and not steps:
            self._forget_published()
            return None
        personal = bool(self._ahead)
        shared = None if personal else self._sources.shared.find(self._scope, start, end)
        if shared is not None:
            return shared
        frame = self._frame([event for _, event in found], [step for _, step in steps])
        self._forget_published()
        if frame is None or personal:
            return frame
        return self._sources.shared.put(self._scope, start, end, frame)

    def _frame(
        self, found: Sequence[controlpb.ControlEvent], steps: Sequence[orderpb.OrderEvents]
    ) -> eventpb.Frame | None:
        events = [
            relayed(event, self._scope.world_id)
            for event in found
            if concerns(event, self._scope, self._types) and self._is_news(event)
        ]
        mine = [event for step in steps for event in step.events if self._scope.strategy_id in ("", event.strategy_id)]
        if not events and not mine:
            return None
        token = self._token()
        batch = eventpb.EventBatch(events=events, order_events=mine, resume_token=token)
        return eventpb.Frame(events=batch)

    def _is_news(self, event: controlpb.ControlEvent) -> bool:
        """Whether the snapshot has not shown it."""
        key = f"{payload_type(event)} {event.key}"
        shown = self._ahead.get(key, 0)
        if event.revision >= shown:
            self._ahead.pop(key, None)
        return event.revision > shown

    def _forget_published(self) -> None:
        """What has come by the feed's head, which this place has reached, cannot come again."""
        control = self._sources.control
        if self._ahead and self._place.control >= control.head:
            late = self._sources.clock.monotonic() > self._ahead_until
            self._ahead = {
                key: shown for key, shown in self._ahead.items() if not late and control.published(key) < shown
            }

    def _token(self) -> str:
        return self._sources.keys.resume_token(
            self._scope, replace(self._place, ahead=tuple(sorted(self._ahead.items())))
        )

    def _is_below_floor(self) -> bool:
        old_orders = self._with_orders and self._place.orders < self._sources.orders.floor
        return self._place.control < self._sources.control.floor or old_orders

    async def _catch_up(self) -> Frames:
        """Read from the broker what the feeds do not have any more."""
        async with aclosing(self._old(self._sources.control, self._place.control)) as parts:
            async for found, reached in parts:
                self._place = replace(self._place, control=reached)
                frame = self._frame(await self._of_my_world(found), [])
                if frame is not None:
                    yield frame
        if self._with_orders:
            async with aclosing(self._old(self._sources.orders, self._place.orders)) as steps:
                async for found_steps, reached in steps:
                    self._place = replace(self._place, orders=reached)
                    mine = [step for step in found_steps if step.events[0].world_id == self._scope.world_id]
                    frame = self._frame([], mine)
                    if frame is not None:
                        yield frame

    async def _old(self, feed: Feed[T], position: int) -> AsyncGenerator[tuple[list[T], int], None]:
        """Batches of a stream from a position up to where its feed begins. Raises TooOld."""
        if position >= feed.floor:
            return
        found: list[T] = []
        held, before = 0, position
        newest = Newest()
        messages = read(feed.bus.link, [feed.source.subject], Start(after=position), feed.source.stream)
        async with aclosing(messages):
            async for sequence, message in messages:
                if found and held + len(message.data) > CONTROL_BYTES_MAX:
                    yield found, before
                    found, held = [], 0
                held, before = held + len(message.data), sequence
                event = feed.source.decode(message.data)
                if event is not None and newest.is_news(*feed.source.mark(event)):
                    found.append(event)
                done = sequence >= feed.floor
                if done or len(found) >= CATCH_UP_BATCH:
                    yield found, sequence
                    found, held = [], 0
                if done or self._ending.is_set():
                    return

    async def _of_my_world(self, found: Sequence[controlpb.ControlEvent]) -> list[controlpb.ControlEvent]:
        mine = []
        for event in found:
            worlds = await self._sources.control.source.worlds(event)
            if self._scope.world_id in worlds or EVERY_WORLD in worlds:
                mine.append(event)
        return mine

    def _lags(self) -> bool:
        """Whether the client has fallen behind and was not told yet."""
        behind = self._sources.control.waiting(self._scope.world_id, self._place.control)
        if self._with_orders:
            behind += self._sources.orders.waiting(self._scope.world_id, self._place.orders)
        lags = behind > self._sources.limits.lag_max
        tell = lags and not self._told_lagging
        self._told_lagging = lags
        return tell

    def _window_closes(self) -> bool:
        """Whether the world's window ends soon and the client was not told of that end yet."""
        if eventpb.TOPIC_ACTIVATION not in self._scope.topics:
            return False
        at = self._sources.closes_at(self._scope.world_id)
        if at is None or at == self._told_closing or at - self._sources.clock.now() > self._sources.limits.warn:
            return False
        self._told_closing = at
        return True

    def _check(self, place: StreamPosition, ends: StreamPosition) -> None:
        """Raises TooOld for a place in a stream that was made anew since."""
        if place.born != ends.born or place.control > ends.control or place.orders > ends.orders:
            raise TooOld(place.control, 0, ends.control)
        self._place = replace(place, born=ends.born)

    def _shown(self, snapshot: eventpb.Snapshot) -> eventpb.Frame:
        """A snapshot as a frame; events that it shows already are no news when they come."""
        recent = self._sources.clock.now() - AHEAD
        for state in snapshot.states:
            key = f"{payload_type(state)} {state.key}"
            fresh = not state.HasField("time") or state.time.ToDatetime(UTC) >= recent
            if fresh and len(self._ahead) < AHEAD_MAX:
                self._ahead[key] = state.revision
        return eventpb.Frame(snapshot=snapshot)

    def _bookmark(self) -> eventpb.Frame:
        token = self._token()
        now = instant_to_proto(self._sources.clock.now())
        return eventpb.Frame(bookmark=eventpb.Bookmark(resume_token=token, server_time=now))

    def _notice(self, kind: eventpb.NoticeKind, message: str) -> eventpb.Frame:
        return _notice(kind, self._token(), message)


def _fills_a_frame(found: Sequence[tuple[int, controlpb.ControlEvent]]) -> bool:
    """Whether it is one event so large that orders have to wait for the next frame."""
    return len(found) == 1 and found[0][1].ByteSize() > CONTROL_BYTES_MAX


def _notice(kind: eventpb.NoticeKind, token: str, message: str) -> eventpb.Frame:
    return eventpb.Frame(notice=eventpb.Notice(kind=kind, resume_token=token, message=message))
