"""The gateway's own contract: strategies, event streams, orders, status. Each method is short; doors do the work."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version

from controlbus.database import Database
from gateway import store, wire
from gateway.access import Access
from gateway.config import Settings
from gateway.contexts import resolve
from gateway.domain.gate import Refused, check
from gateway.domain.submissions import State
from gateway.gates import Gates
from gateway.health import AVAILABLE, Probes
from gateway.peers import Peers
from gateway.streams import StreamDoors, check_topics, frames
from gateway.tables import OUTBOX
from gateway.tokens import Scope
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock
from qmtl.core.errors import Exhausted, InvalidRequest, NotFound, NotReady, PermissionDenied, Violation
from qmtl.dag.v1 import service_pb2 as dagservicepb
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.gateway.v1.service_pb2_grpc import GatewayServiceServicer
from qmtl.rpc.auth import Role
from qmtl.rpc.context import require_user
from qmtl.wire.words import context_to_proto, instant_to_proto
from qmtl.world.v1 import service_pb2 as worldservicepb
from qmtl.world.v1 import world_pb2 as worldpb

PLANNED = {
    "SubmitOrderList": "Brokerage, complete",
    "ReplaceOrder": "Brokerage, complete",
    "TradeStream": "Gateway, complete",
    "AcquireProducer": "Gateway, complete",
    "RenewProducer": "Gateway, complete",
    "PublishRecords": "Gateway, complete",
    "ReadQueue": "Gateway, complete",
    "ReportFills": "Gateway, complete",
    "ReplayFills": "Gateway, complete",
}
VERSION = version("qmtl")
POLL_S = 0.25  # how often a change made by another gateway is looked for
PAGE_DEFAULT, PAGE_MAX = 100, 1000
SETTLED = frozenset({State.COMPLETED, State.FAILED, State.CANCELED})


@dataclass(frozen=True, slots=True)
class Doors:
    """What the servicer is composed of."""

    settings: Settings
    clock: Clock
    db: Database
    peers: Peers
    access: Access
    gates: Gates
    probes: Probes
    streams: StreamDoors
    draining: asyncio.Event
    started_at: datetime


class GatewayServicer(GatewayServiceServicer):
    """See proto/qmtl/gateway/v1/service.proto for what each call does."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._subscribers = 0

    async def SubmitStrategy(
        self, request: servicepb.SubmitStrategyRequest, context: object
    ) -> servicepb.SubmitStrategyResponse:
        doors = self._doors
        submission = wire.submission_from_proto(request, require_user().subject)
        for world_id in submission.world_ids:
            await doors.access.require(world_id, Role.OPERATOR)
        at = doors.clock.now()
        record, repeated = await doors.db.write(
            lambda conn: store.accept(conn, submission, at, doors.settings.pending_max)
        )
        record = await self._settled(record, doors.settings.warmup_deadline_s)
        return servicepb.SubmitStrategyResponse(strategy=wire.strategy_to_proto(record), repeated_request=repeated)

    async def DryRunStrategy(
        self, request: servicepb.DryRunStrategyRequest, context: object
    ) -> servicepb.DryRunStrategyResponse:
        wire.checked_dag(request, request.ByteSize())
        outcomes = [await self._preview(request, world_id) for world_id in request.world_ids]
        diff = dagservicepb.DryRunDiffRequest(dag=request.dag, contexts=[outcome.context for outcome in outcomes])
        response = servicepb.DryRunStrategyResponse(outcomes=outcomes)
        async for part in self._doors.peers.dag.DryRunDiff(diff):
            for assignment in part.chunk.assignments:
                for outcome in response.outcomes:
                    if outcome.world_id == assignment.world_id:
                        outcome.assignments.append(assignment)
            if part.chunk.HasField("summary"):
                response.summary.CopyFrom(part.chunk.summary)
        return response

    async def GetStrategy(
        self, request: servicepb.GetStrategyRequest, context: object
    ) -> servicepb.GetStrategyResponse:
        record = await self._readable(request.strategy_id)
        return servicepb.GetStrategyResponse(strategy=wire.strategy_to_proto(record))

    async def WatchStrategy(
        self, request: servicepb.WatchStrategyRequest, context: object
    ) -> AsyncIterator[servicepb.WatchStrategyResponse]:
        record = await self._readable(request.strategy_id)
        while True:
            yield servicepb.WatchStrategyResponse(strategy=wire.strategy_to_proto(record))
            if record.state in SETTLED:
                return
            record = await self._changed(record)

    async def ListStrategies(
        self, request: servicepb.ListStrategiesRequest, context: object
    ) -> servicepb.ListStrategiesResponse:
        if request.world_id:
            await self._doors.access.require(request.world_id, Role.READER)
        elif require_user().role < Role.READER:
            raise InvalidRequest("E_WORLD_ID", "world_id is empty, want a world this token may read")
        limit = min(request.page.page_size or PAGE_DEFAULT, PAGE_MAX)
        before = _cursor(request.page.page_token)
        state = wire.state_from_proto(request.state)
        rows = await self._doors.db.read(lambda conn: store.page(conn, request.world_id, state, before, limit))
        worlds = require_user().worlds
        shown = [row for row in rows if worlds is None or set(row.world_ids) <= worlds]
        token = _next_token(rows[-1]) if len(rows) == limit else ""
        return servicepb.ListStrategiesResponse(
            strategies=[wire.strategy_to_proto(row, outcomes=False) for row in shown],
            page=commonpb.PageInfo(next_page_token=token),
        )

    async def CancelStrategy(
        self, request: servicepb.CancelStrategyRequest, context: object
    ) -> servicepb.CancelStrategyResponse:
        doors = self._doors
        record = await self._readable(request.strategy_id, Role.OPERATOR)
        subject = require_user().subject
        step = store.Step(State.CANCELED, request.reason, subject, doors.clock.now())
        canceled = await doors.db.write(lambda conn: store.cancel(conn, request.strategy_id, step))
        await self._release(canceled)
        return servicepb.CancelStrategyResponse(strategy=wire.strategy_to_proto(canceled if canceled else record))

    async def GetStrategyHistory(
        self, request: servicepb.GetStrategyHistoryRequest, context: object
    ) -> servicepb.GetStrategyHistoryResponse:
        await self._readable(request.strategy_id)
        entries = await self._doors.db.read(lambda conn: store.history(conn, request.strategy_id))
        return wire.history_to_proto(entries)

    async def CreateEventStream(
        self, request: servicepb.CreateEventStreamRequest, context: object
    ) -> servicepb.CreateEventStreamResponse:
        topics = check_topics(list(request.topics))
        subject = await self._doors.access.require(request.world_id, Role.READER)
        scope = Scope(subject, request.world_id, request.strategy_id, topics)
        return servicepb.CreateEventStreamResponse(stream=self._descriptor(scope))

    async def RefreshEventStream(
        self, request: servicepb.RefreshEventStreamRequest, context: object
    ) -> servicepb.RefreshEventStreamResponse:
        scope = self._own_scope(request.token)
        await self._doors.access.require(scope.world_id, Role.READER)
        return servicepb.RefreshEventStreamResponse(stream=self._descriptor(scope))

    async def SubscribeEvents(
        self, request: servicepb.SubscribeEventsRequest, context: object
    ) -> AsyncIterator[servicepb.SubscribeEventsResponse]:
        doors = self._doors
        scope = self._own_scope(request.token)
        await doors.access.require(scope.world_id, Role.READER)
        if self._subscribers >= doors.settings.subscribers_max:
            raise Exhausted("E_SUBSCRIBERS", f"{self._subscribers} event streams are open", retry_after_s=5.0)
        self._subscribers += 1
        try:
            async with aclosing(frames(doors.streams, scope, request.resume_token, doors.draining)) as following:
                async for frame in following:
                    yield servicepb.SubscribeEventsResponse(frame=frame)
        finally:
            self._subscribers -= 1

    async def GetJwks(self, request: servicepb.GetJwksRequest, context: object) -> servicepb.GetJwksResponse:
        return servicepb.GetJwksResponse(keys=self._doors.streams.keys.public())

    async def SubmitOrder(
        self, request: servicepb.SubmitOrderRequest, context: object
    ) -> servicepb.SubmitOrderResponse:
        order = request.order
        wire.asked_from_proto(order)
        await self._doors.access.require(order.world_id, Role.OPERATOR)
        try:
            return await self._gated(order)
        except NotReady as error:
            if error.reason != "E_STALE_EPOCH":
                raise
        await self._doors.gates.renew()
        return await self._gated(order)

    async def CancelOrder(
        self, request: servicepb.CancelOrderRequest, context: object
    ) -> servicepb.CancelOrderResponse:
        await self._doors.access.require(request.key.world_id, Role.OPERATOR)
        answer = await self._doors.peers.broker.CancelOrder(brokerservicepb.CancelOrderRequest(key=request.key))
        return servicepb.CancelOrderResponse(status=answer.status)

    async def GetStatus(self, request: servicepb.GetStatusRequest, context: object) -> servicepb.GetStatusResponse:
        doors = self._doors
        level = doors.probes.level()
        queued, backlog = await doors.db.read(lambda conn: (store.queued(conn), OUTBOX.backlog(conn)))
        status = commonpb.ServiceStatus(
            service="gateway",
            version=VERSION,
            dependencies=doors.probes.dependencies(),
            outbox_depth=backlog.depth,
            degraded=level != gatewaypb.DEGRADATION_LEVEL_NORMAL,
        )
        status.started_at.FromDatetime(doors.started_at)
        return servicepb.GetStatusResponse(
            status=status,
            level=level,
            gates=doors.gates.status(),
            available=AVAILABLE[level],
            submissions_queued=queued,
            event_subscribers=self._subscribers,
        )

    async def _readable(self, strategy_id: str, role: Role = Role.READER) -> store.Record:
        """A strategy the caller has the role for in each of its worlds."""
        record = await self._doors.db.read(lambda conn: store.get(conn, strategy_id))
        for world_id in record.world_ids:
            await self._doors.access.require(world_id, role)
        return record

    async def _settled(self, record: store.Record, within_s: float) -> store.Record:
        """The record once it is settled, or as it is when the time is up."""
        try:
            async with asyncio.timeout(within_s):
                while record.state not in SETTLED:
                    record = await self._changed(record)
        except TimeoutError:
            pass
        return record

    async def _changed(self, record: store.Record) -> store.Record:
        """Wait until the record has a higher revision."""
        woken = asyncio.Event()
        unsubscribe = self._doors.db.on_signal(store.strategy_signal(record.strategy_id), woken.set)
        try:
            while True:
                woken.clear()
                now = await self._doors.db.read(lambda conn: store.get(conn, record.strategy_id))
                if now.revision > record.revision:
                    return now
                try:
                    async with asyncio.timeout(POLL_S):
                        await woken.wait()
                except TimeoutError:
                    continue
        finally:
            unsubscribe()

    async def _preview(self, request: servicepb.DryRunStrategyRequest, world_id: str) -> gatewaypb.WorldOutcome:
        await self._doors.access.require(world_id, Role.READER)
        decided = await self._doors.peers.world.Decide(worldservicepb.DecideRequest(world_id=world_id))
        context = await resolve(self._doors.peers, request.hints, decided.decision, worldpb.STAGE_BACKTEST)
        return gatewaypb.WorldOutcome(world_id=world_id, context=context_to_proto(context), decision=decided.decision)

    async def _release(self, record: store.Record) -> None:
        """Unbind first, which deactivates, then let the plan's queues age out. Idempotent, so a retry completes it."""
        plan_version = wire.strategy_to_proto(record).plan_version
        for world_id in record.world_ids:
            unbind = worldservicepb.UnbindStrategyRequest(world_id=world_id, strategy_id=record.strategy_id)
            release = dagservicepb.ReleasePlanRequest(
                strategy_id=record.strategy_id, version=plan_version, world_id=world_id
            )
            with suppress(NotFound):  # canceled before it was bound
                await self._doors.peers.world.UnbindStrategy(unbind)
            if plan_version:
                await self._doors.peers.dag.ReleasePlan(release)

    def _own_scope(self, token: str) -> Scope:
        scope = self._doors.streams.keys.scope_of(token)
        if scope.subject != require_user().subject:
            raise PermissionDenied("E_RESUME_SCOPE", "the stream token is another user's")
        return scope

    def _descriptor(self, scope: Scope) -> gatewaypb.EventStreamDescriptor:
        settings, keys = self._doors.settings, self._doors.streams.keys
        token, expires_at = keys.stream_token(scope, timedelta(seconds=settings.stream_token_ttl_s))
        return gatewaypb.EventStreamDescriptor(
            address=settings.public_address or settings.bind,
            token=token,
            topics=scope.topics,
            expires_at=instant_to_proto(expires_at),
            fallback_address=settings.fallback_address,
        )

    async def _gated(self, order: brokerpb.Order) -> servicepb.SubmitOrderResponse:
        gates = self._doors.gates
        asked = wire.asked_from_proto(order)
        verdict = check(gates.gate(order.world_id), gates.session_valid, asked, self._doors.clock.now())
        if isinstance(verdict, Refused):
            return servicepb.SubmitOrderResponse(status=wire.refusal_to_proto(order, verdict))
        stamp = wire.stamp_to_proto(verdict, gates.gateway_id)
        answer = await self._doors.peers.broker.SubmitOrder(brokerservicepb.SubmitOrderRequest(order=order, gate=stamp))
        return servicepb.SubmitOrderResponse(status=answer.status, duplicate=answer.duplicate)


def _cursor(token: str) -> tuple[int, str] | None:
    if not token:
        return None
    try:
        created_ns, strategy_id = json.loads(base64.urlsafe_b64decode(token.encode()))
        return int(created_ns), str(strategy_id)
    except (ValueError, TypeError):
        violation = Violation("page.page_token", repr(token[:40]), "next_page_token of the page before")
        raise InvalidRequest("E_PAGE_TOKEN", str(violation), violations=(violation,)) from None


def _next_token(last: store.Record) -> str:
    return base64.urlsafe_b64encode(json.dumps([store.to_ns(last.created_at), last.strategy_id]).encode()).decode()
