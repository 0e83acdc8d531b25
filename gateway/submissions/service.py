"""RPCs of strategies: accepted here, carried out by workers, released when they end."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

from gateway.access import Access
from gateway.instants import to_ns
from gateway.peers import Peers
from gateway.submissions import domain, events, wire
from gateway.submissions.contexts import resolve
from gateway.submissions.domain import State, check_worlds
from gateway.submissions.store import strategies
from gateway.submissions.worker import SETTLED, Workers
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.roles import Role
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.rpc.auth.call import require_user
from qmtl.sql.database import Database
from qmtl.wire.contexts import context_to_proto
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb

POLL_S = 0.5  # how often a change made by another gateway is looked for
PAGE_DEFAULT, PAGE_MAX = 100, 1000
PARSED_HERE_MAX = 256 * 1024  # bytes of a request that may hold the loop while it is checked
REASON_MAX = 200


class StrategyServicer(strategyrpc.StrategyServiceServicer):
    """Strategies of the caller's worlds; see strategy_service.proto for what each call does."""

    def __init__(
        self, db: Database, peers: Peers, access: Access, workers: Workers, clock: Clock, *, answer_within_s: float
    ) -> None:
        """`answer_within_s`: how long a submission or a cancel waits to be through before it answers as it stands."""
        self._db = db
        self._peers = peers
        self._access = access
        self._workers = workers
        self._clock = clock
        self._answer_within_s = answer_within_s

    async def SubmitStrategy(
        self, request: strategyservicepb.SubmitStrategyRequest, context: object
    ) -> strategyservicepb.SubmitStrategyResponse:
        subject = require_user().subject
        if request.ByteSize() > PARSED_HERE_MAX:
            for world_id in sorted(set(request.world_ids)):  # who may not submit costs no thread
                await self._access.require(world_id, Role.OPERATOR)
            submission = await asyncio.to_thread(wire.submission_from_proto, request, subject)
        else:
            submission = wire.submission_from_proto(request, subject)
        for world_id in submission.world_ids:
            await self._access.require(world_id, Role.OPERATOR)
        record, repeated = await self._workers.accept(submission)
        record = await self._workers.settled(record, self._answer_within_s)
        return strategyservicepb.SubmitStrategyResponse(
            strategy=wire.strategy_to_proto(record), repeated_request=repeated
        )

    async def DryRunStrategy(
        self, request: strategyservicepb.DryRunStrategyRequest, context: object
    ) -> strategyservicepb.DryRunStrategyResponse:
        check_worlds(list(request.world_ids))
        await asyncio.to_thread(wire.checked_dag, request, request.ByteSize())
        outcomes = [await self._preview(request, world_id) for world_id in request.world_ids]
        diff = diffservicepb.DryRunDiffRequest(dag=request.dag, contexts=[outcome.context for outcome in outcomes])
        response = strategyservicepb.DryRunStrategyResponse(outcomes=outcomes)
        async for part in self._peers.diffs.DryRunDiff(diff):
            for assignment in part.chunk.assignments:
                for outcome in response.outcomes:
                    if outcome.world_id == assignment.world_id:
                        outcome.assignments.append(assignment)
            if part.chunk.HasField("summary"):
                response.summary.CopyFrom(part.chunk.summary)
        return response

    async def GetStrategy(
        self, request: strategyservicepb.GetStrategyRequest, context: object
    ) -> strategyservicepb.GetStrategyResponse:
        record = await self._readable(request.strategy_id)
        return strategyservicepb.GetStrategyResponse(strategy=wire.strategy_to_proto(record))

    async def WatchStrategy(
        self, request: strategyservicepb.WatchStrategyRequest, context: object
    ) -> AsyncIterator[strategyservicepb.WatchStrategyResponse]:
        record = await self._readable(request.strategy_id)
        while True:
            yield strategyservicepb.WatchStrategyResponse(strategy=wire.strategy_to_proto(record))
            if record.state in SETTLED:
                return
            record = await self._changed(record)

    async def ListStrategies(
        self, request: strategyservicepb.ListStrategiesRequest, context: object
    ) -> strategyservicepb.ListStrategiesResponse:
        if request.world_id:
            await self._access.require(request.world_id, Role.READER)
        elif require_user().role < Role.READER:
            raise InvalidRequest("E_WORLD_ID", "world_id is empty, want a world this token may read")
        limit = min(request.page.page_size or PAGE_DEFAULT, PAGE_MAX)
        before = _cursor(request.page.page_token)
        state = wire.state_from_proto(request.state)
        rows = await self._db.read(lambda conn: strategies.page(conn, request.world_id, state, before, limit))
        worlds = require_user().worlds
        shown = [row for row in rows if worlds is None or set(row.world_ids) <= worlds]
        token = _next_token(rows[-1]) if len(rows) == limit else ""
        return strategyservicepb.ListStrategiesResponse(
            strategies=[wire.strategy_to_proto(row, outcomes=False) for row in shown],
            page=commonpb.PageInfo(next_page_token=token),
        )

    async def CancelStrategy(
        self, request: strategyservicepb.CancelStrategyRequest, context: object
    ) -> strategyservicepb.CancelStrategyResponse:
        if len(request.reason) > REASON_MAX or not request.reason.isprintable():
            violation = Violation("reason", repr(request.reason[:40]), f"up to {REASON_MAX} printable characters")
            raise InvalidRequest("E_FIELD", str(violation), violations=(violation,))
        await self._readable(request.strategy_id, Role.OPERATOR)
        subject = require_user().subject
        step = domain.Step(State.CANCELED, request.reason, subject, self._clock.now())
        canceled = await self._db.write(lambda conn: strategies.cancel(conn, request.strategy_id, step))
        canceled = await self._released(canceled, self._answer_within_s)
        return strategyservicepb.CancelStrategyResponse(strategy=wire.strategy_to_proto(canceled))

    async def GetStrategyHistory(
        self, request: strategyservicepb.GetStrategyHistoryRequest, context: object
    ) -> strategyservicepb.GetStrategyHistoryResponse:
        await self._readable(request.strategy_id)
        entries = await self._db.read(lambda conn: strategies.history(conn, request.strategy_id))
        return wire.history_to_proto(entries)

    async def _readable(self, strategy_id: str, role: Role = Role.READER) -> domain.Record:
        """A strategy the caller has the role for in each of its worlds."""
        record = await self._db.read(lambda conn: strategies.get(conn, strategy_id))
        for world_id in record.world_ids:
            await self._access.require(world_id, role)
        return record

    async def _released(self, record: domain.Record, within_s: float) -> domain.Record:
        """The record once it is released everywhere, or as it is when the time is up; the releaser goes on."""
        woken = asyncio.Event()
        unsubscribe = self._db.on_signal(events.strategy_signal(record.strategy_id), woken.set)
        try:
            async with asyncio.timeout(within_s):
                while record.release_pending:
                    woken.clear()
                    record = await self._db.read(partial(strategies.get, strategy_id=record.strategy_id))
                    if record.release_pending:
                        with suppress(TimeoutError):
                            async with asyncio.timeout(POLL_S):
                                await woken.wait()
        except TimeoutError:
            pass
        finally:
            unsubscribe()
        return record

    async def _changed(self, record: domain.Record) -> domain.Record:
        """Wait until the record has a higher revision."""
        woken = asyncio.Event()
        unsubscribe = self._db.on_signal(events.strategy_signal(record.strategy_id), woken.set)
        try:
            while True:
                woken.clear()
                now = await self._db.read(lambda conn: strategies.get(conn, record.strategy_id))
                if now.revision > record.revision:
                    return now
                try:
                    async with asyncio.timeout(POLL_S):
                        await woken.wait()
                except TimeoutError:
                    continue
        finally:
            unsubscribe()

    async def _preview(
        self, request: strategyservicepb.DryRunStrategyRequest, world_id: str
    ) -> strategypb.WorldOutcome:
        await self._access.require(world_id, Role.READER)
        decided = await self._peers.evaluation.Decide(evaluationservicepb.DecideRequest(world_id=world_id))
        context = await resolve(self._peers, request.hints, decided.decision, bindingpb.STAGE_BACKTEST)
        return strategypb.WorldOutcome(world_id=world_id, context=context_to_proto(context), decision=decided.decision)


def _cursor(token: str) -> tuple[int, str] | None:
    if not token:
        return None
    try:
        created_ns, strategy_id = json.loads(base64.urlsafe_b64decode(token.encode()))
        return int(created_ns), str(strategy_id)
    except (ValueError, TypeError):
        violation = Violation("page.page_token", repr(token[:40]), "next_page_token of the page before")
        raise InvalidRequest("E_PAGE_TOKEN", str(violation), violations=(violation,)) from None


def _next_token(last: domain.Record) -> str:
    return base64.urlsafe_b64encode(json.dumps([to_ns(last.created_at), last.strategy_id]).encode()).decode()
