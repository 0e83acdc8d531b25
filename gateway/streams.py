"""Event streams for clients: snapshot of each topic, then every change in order, resumable at any gateway.

Each subscriber reads the CONTROL stream at its own pace with bounded memory, so a slow one delays nobody. Nothing
about the broker shows but a signed place. Topics whose part is not built are refused, not silently empty.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from controlbus.bus import Bus
from controlbus.database import Database
from controlbus.events import UndecodableEvent, decode, payload_type
from controlbus.reading import Start, TooOld, control_info, read
from controlbus.subjects import control_filter
from gateway import store
from gateway.peers import Peers
from gateway.tokens import Scope, StreamKeys
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, NotFound, Violation
from qmtl.core.identity import digest
from qmtl.core.modes import domain_of
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.wire.words import DOMAIN_NUMBERS, MODES, instant_to_proto
from qmtl.world.v1 import service_pb2 as worldservicepb

BATCH_MAX = 64
SEEN_MAX = 4096
SNAPSHOT_STRATEGIES_MAX = 1000
TYPES: Mapping[gatewaypb.Topic, tuple[str, ...]] = {
    gatewaypb.TOPIC_ACTIVATION: ("activation_updated",),
    gatewaypb.TOPIC_POLICY: ("policy_updated", "decision_updated"),
    gatewaypb.TOPIC_STRATEGY: ("strategy_state_changed", "evaluation_run_updated", "exit_signal_emitted"),
}
Frames = AsyncGenerator[gatewaypb.Frame, None]
Item = tuple[int, controlpb.ControlEvent | None]
log = structlog.stdlib.get_logger("qmtl.gateway.streams")


@dataclass(frozen=True, slots=True)
class StreamDoors:
    """What event streams are made from."""

    bus: Bus
    db: Database
    peers: Peers
    keys: StreamKeys
    clock: Clock
    bookmark_s: float


def check_topics(topics: Sequence[gatewaypb.Topic]) -> tuple[gatewaypb.Topic, ...]:
    """The topics asked for, sorted, each once. Raises InvalidRequest (E_TOPIC)."""
    known = ", ".join(gatewaypb.Topic.Name(number) for number in TYPES)
    unknown = [number for number in topics if number not in TYPES]
    if not topics or unknown:
        violation = Violation("topics", str(unknown[0]) if unknown else "empty", f"at least one of {known}")
        raise InvalidRequest("E_TOPIC", str(violation), violations=(violation,))
    return tuple(sorted(set(topics)))


async def frames(doors: StreamDoors, scope: Scope, resume_token: str, draining: asyncio.Event) -> Frames:
    """Frames of one subscription, for ever; ends after GOING_AWAY when the server drains."""
    position = doors.keys.place(resume_token, scope) if resume_token else None
    while True:
        follower = _Follower(doors, scope, draining)
        try:
            async with aclosing(follower.follow(position)) as following:
                async for frame in following:
                    yield frame
            return
        except TooOld as error:
            token = doors.keys.resume_token(scope, 0)
            kind = gatewaypb.NOTICE_KIND_RESUME_TOO_OLD
            yield gatewaypb.Frame(notice=gatewaypb.Notice(kind=kind, resume_token=token, detail=error.message))
            position = None


class _Follower:
    """One pass over the stream: from a snapshot or from a place."""

    def __init__(self, doors: StreamDoors, scope: Scope, draining: asyncio.Event) -> None:
        self._doors = doors
        self._scope = scope
        self._draining = draining
        self._types = tuple(name for topic in scope.topics for name in TYPES[topic])
        self._seen: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._position = 0

    async def follow(self, position: int | None) -> Frames:
        if position is None:
            position = (await control_info(self._doors.bus.link)).state.last_seq
            for topic in self._scope.topics:
                yield gatewaypb.Frame(snapshot=await self._snapshot(topic))
        self._position = position
        yield self._bookmark()
        queue: asyncio.Queue[Item] = asyncio.Queue(BATCH_MAX)
        # no task group: it would raise what the reader raised wrapped, and cancel whoever is writing a frame just then
        reader = asyncio.create_task(self._read(position, queue))
        drain = asyncio.create_task(self._draining.wait())
        try:
            while not self._draining.is_set():
                yield await self._next(queue, reader, drain)
            yield self._going_away()
        finally:
            reader.cancel()
            drain.cancel()
            await asyncio.gather(reader, drain, return_exceptions=True)

    async def _read(self, position: int, queue: asyncio.Queue[Item]) -> None:
        """Everything after a position, at the pace of the queue's reader. An event we cannot read is only a place."""
        filters = [control_filter(name) for name in self._types]
        async with aclosing(read(self._doors.bus.link, filters, Start(after=position))) as messages:
            async for sequence, message in messages:
                try:
                    event = decode(message.data)
                except UndecodableEvent as error:
                    log.error("event_undecodable", sequence=sequence, error=str(error))
                    event = None
                await queue.put((sequence, event))

    async def _next(
        self,
        queue: asyncio.Queue[Item],
        reader: asyncio.Task[None],
        drain: asyncio.Task[bool],
    ) -> gatewaypb.Frame:
        """The next batch of events that pass the filter, or a bookmark when there is none for a while."""
        batch: list[controlpb.ControlEvent] = []
        deadline = self._doors.clock.monotonic() + self._doors.bookmark_s
        while not batch and (left := deadline - self._doors.clock.monotonic()) > 0 and not drain.done():
            getting = asyncio.ensure_future(queue.get())
            try:
                await asyncio.wait({getting, reader, drain}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if reader.done():
                    reader.result()
                if getting.done():
                    self._take(getting.result(), batch)
            finally:
                getting.cancel()
            while len(batch) < BATCH_MAX and not queue.empty():
                self._take(queue.get_nowait(), batch)
        if not batch:
            return self._bookmark()
        token = self._doors.keys.resume_token(self._scope, self._position)
        return gatewaypb.Frame(events=gatewaypb.EventBatch(events=batch, resume_token=token))

    def _take(self, item: Item, batch: list[controlpb.ControlEvent]) -> None:
        self._position, event = item
        if event is not None and _concerns(event, self._scope) and self._is_news(event):
            batch.append(_relayed(event))

    def _is_news(self, event: controlpb.ControlEvent) -> bool:
        key = (payload_type(event), event.key)
        if event.revision <= self._seen.get(key, 0):
            return False
        self._seen[key] = event.revision
        self._seen.move_to_end(key)
        while len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        return True

    async def _snapshot(self, topic: gatewaypb.Topic) -> gatewaypb.Snapshot:
        states = await _SNAPSHOTS[topic](self)
        for state in states:
            self._seen[payload_type(state), state.key] = state.revision
        states = [_relayed(state) for state in states]
        body = b"".join(state.SerializeToString(deterministic=True) for state in states)
        hashes = [s.activation_updated.activation.state_hash for s in states if s.HasField("activation_updated")]
        return gatewaypb.Snapshot(topic=topic, states=states, state_hash=hashes[0] if hashes else digest(body))

    async def activation(self) -> list[controlpb.ControlEvent]:
        """The world's activation, from worldservice."""
        request = worldservicepb.GetActivationRequest(world_id=self._scope.world_id)
        activation = (await self._doors.peers.world.GetActivation(request)).activation
        payload = controlpb.ActivationUpdated(activation=activation)
        return [
            controlpb.ControlEvent(
                source="worldservice", key=self._scope.world_id, revision=activation.revision, schema_version=1,
                time=activation.time, activation_updated=payload,
            )
        ]  # fmt: skip

    async def policy(self) -> list[controlpb.ControlEvent]:
        """The world's default policy, from worldservice; none yet is an empty snapshot."""
        request = worldservicepb.GetPolicyRequest(world_id=self._scope.world_id)
        try:
            policy = (await self._doors.peers.world.GetPolicy(request)).policy
        except NotFound:
            return []
        payload = controlpb.PolicyUpdated(
            world_id=policy.world_id, policy_version=policy.version, checksum=policy.checksum, status=policy.status
        )
        return [
            controlpb.ControlEvent(
                source="worldservice", key=self._scope.world_id, schema_version=1, time=policy.created_at,
                policy_updated=payload,
            )
        ]  # fmt: skip

    async def strategies(self) -> list[controlpb.ControlEvent]:
        """The world's newest strategies, from the submissions database."""
        records = await self._doors.db.read(
            lambda conn: store.page(conn, self._scope.world_id, None, None, SNAPSHOT_STRATEGIES_MAX)
        )
        wanted = [r for r in records if self._scope.strategy_id in ("", r.strategy_id)]
        return [_strategy_state(record) for record in wanted]

    def _bookmark(self) -> gatewaypb.Frame:
        token = self._doors.keys.resume_token(self._scope, self._position)
        now = instant_to_proto(self._doors.clock.now())
        return gatewaypb.Frame(bookmark=gatewaypb.Bookmark(resume_token=token, server_time=now))

    def _going_away(self) -> gatewaypb.Frame:
        token = self._doors.keys.resume_token(self._scope, self._position)
        kind = gatewaypb.NOTICE_KIND_GOING_AWAY
        return gatewaypb.Frame(notice=gatewaypb.Notice(kind=kind, resume_token=token, detail="the gateway stops"))


_SNAPSHOTS: Mapping[gatewaypb.Topic, Callable[[_Follower], Awaitable[list[controlpb.ControlEvent]]]] = {
    gatewaypb.TOPIC_ACTIVATION: _Follower.activation,
    gatewaypb.TOPIC_POLICY: _Follower.policy,
    gatewaypb.TOPIC_STRATEGY: _Follower.strategies,
}


def _strategy_state(record: store.Record) -> controlpb.ControlEvent:
    payload = controlpb.StrategyStateChanged(
        strategy_id=record.strategy_id, state=store.STATE_NUMBERS[record.state], reason=record.reason,
        world_ids=record.world_ids,
    )  # fmt: skip
    return controlpb.ControlEvent(
        source="gateway", key=record.strategy_id, revision=record.revision, schema_version=1,
        time=instant_to_proto(record.updated_at), strategy_state_changed=payload,
    )  # fmt: skip


def _concerns(event: controlpb.ControlEvent, scope: Scope) -> bool:
    """Whether an event belongs to a stream's world and strategy."""
    match payload_type(event):
        case "strategy_state_changed":
            changed = event.strategy_state_changed
            return scope.world_id in changed.world_ids and scope.strategy_id in ("", changed.strategy_id)
        case "evaluation_run_updated" | "exit_signal_emitted":
            world_id, _, strategy_id = event.key.partition("/")
            return world_id == scope.world_id and scope.strategy_id in ("", strategy_id)
        case _:
            return event.key == scope.world_id


def _relayed(event: controlpb.ControlEvent) -> controlpb.ControlEvent:
    """An activation leaves with its derived domain; one without a mode we know leaves as compute-only."""
    if not event.HasField("activation_updated"):
        return event
    activation = event.activation_updated.activation
    mode = MODES.get(activation.effective_mode)
    if mode is None:
        activation.effective_mode = commonpb.EFFECTIVE_MODE_COMPUTE_ONLY
        activation.execution_domain = commonpb.EXECUTION_DOMAIN_BACKTEST
    else:
        activation.execution_domain = DOMAIN_NUMBERS[domain_of(mode)]
    return event
