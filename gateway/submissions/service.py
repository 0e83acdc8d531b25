"""RPCs of strategies: accepted here, carried out by workers, released when they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from functools import partial

from gateway.peers import Peers
from gateway.submissions import events, wire
from gateway.submissions.contexts import resolve
from gateway.submissions.domain import Record, State, Step, check_worlds
from gateway.submissions.store import strategies
from gateway.submissions.worker import SETTLED, Workers
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, refused
from qmtl.core.roles import Role
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.rpc.auth.call import require_stated, require_user
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.rpc.chunks import Chunk, Chunked, gathered
from qmtl.rpc.client.streams import scoped
from qmtl.sql.database import Database
from qmtl.wire.contexts import context_to_proto
from qmtl.wire.fields import optional_text
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb

POLL_S = 0.5  # how often a change made by another gateway is looked for
PARSED_HERE_MAX = 256 * 1024  # bytes of a request that may hold the loop while it is checked
MESSAGE_MAX = 200


class StrategyServicer(strategyrpc.StrategyServiceServicer):
    """Strategies of the caller's worlds; see strategy_service.proto for what each call does."""

    def __init__(
        self, db: Database, peers: Peers, roles: WorldRoles, workers: Workers, clock: Clock, *, answer_within_s: float
    ) -> None:
        """`answer_within_s`: how long a submission or a cancel waits to be through before it answers as it stands."""
        self._db = db
        self._peers = peers
        self._roles = roles
        self._workers = workers
        self._clock = clock
        self._answer_within_s = answer_within_s

    async def SubmitStrategy(
        self, request_iterator: AsyncIterator[strategyservicepb.SubmitStrategyRequest], context: object
    ) -> strategyservicepb.SubmitStrategyResponse:
        asked = await self._payload(request_iterator, Role.OPERATOR)
        subject = require_user().subject
        if require_stated().total_bytes > PARSED_HERE_MAX:
            submission = await asyncio.to_thread(wire.submission_from_proto, asked, subject)
        else:
            submission = wire.submission_from_proto(asked, subject)
        record, repeated = await self._workers.accept(submission, asked)
        record, outcome = await self._workers.settled(record, self._answer_within_s)
        return strategyservicepb.SubmitStrategyResponse(
            strategy=wire.strategy_to_proto(record, outcome), repeated_request=repeated
        )

    async def DryRunStrategy(
        self, request_iterator: AsyncIterator[strategyservicepb.DryRunStrategyRequest], context: object
    ) -> AsyncIterator[strategyservicepb.DryRunStrategyResponse]:
        asked = await self._payload(request_iterator, Role.READER)
        await asyncio.to_thread(wire.checked_dag, asked)
        outcomes = [await self._preview(asked, world_id) for world_id in asked.world_ids]
        question = diffpb.DiffQuestion(dag=asked.dag, contexts=[outcome.context for outcome in outcomes])
        yield strategyservicepb.DryRunStrategyResponse(outcomes=outcomes)
        with scoped(self._peers.diffs.DryRunDiff(Chunked(diffservicepb.DryRunDiffRequest, question))) as parts:
            async for part in parts:
                summary = part.chunk.summary if part.chunk.HasField("summary") else None
                yield strategyservicepb.DryRunStrategyResponse(assignments=part.chunk.assignments, summary=summary)

    async def GetStrategy(
        self, request: strategyservicepb.GetStrategyRequest, context: object
    ) -> strategyservicepb.GetStrategyResponse:
        record = await self._readable(request.strategy_id)
        return strategyservicepb.GetStrategyResponse(strategy=await self._whole(record))

    async def ListAssignments(
        self, request: strategyservicepb.ListAssignmentsRequest, context: object
    ) -> strategyservicepb.ListAssignmentsResponse:
        page = page_from_proto(request, (int,))
        record = await self._readable(request.strategy_id)
        if request.world_id not in record.world_ids:
            raise refused(
                "E_WORLD_ID", "world_id", repr(request.world_id[:80]), f"one of {', '.join(record.world_ids)}"
            )
        first = 0 if page.after is None else max(0, page.after[0] + 1)
        part, parts = first // wire.PART_MAX, page.size // wire.PART_MAX + 2
        stored = await self._db.read(
            lambda conn: strategies.assignments_of(conn, record.strategy_id, request.world_id, part, parts)
        )
        found = [row for row in wire.assignments_from_stored(stored, part) if row[0] >= first]
        assignments, info = page_of(found, page, lambda row: (row[0],), lambda row: row[1])
        return strategyservicepb.ListAssignmentsResponse(assignments=assignments, page=info)

    async def WatchStrategy(
        self, request: strategyservicepb.WatchStrategyRequest, context: object
    ) -> AsyncIterator[strategyservicepb.WatchStrategyResponse]:
        record = await self._readable(request.strategy_id)
        while True:
            yield strategyservicepb.WatchStrategyResponse(strategy=await self._whole(record))
            if record.state in SETTLED:
                return
            record = await self._changed(record)

    async def ListStrategies(
        self, request: strategyservicepb.ListStrategiesRequest, context: object
    ) -> strategyservicepb.ListStrategiesResponse:
        if request.world_id:
            await self._roles.require_known(request.world_id, Role.READER)
        elif require_user().role < Role.READER:
            raise InvalidRequest("E_WORLD_ID", "world_id is empty, want a world this token may read")
        page, state = page_from_proto(request, (int, str)), wire.state_from_proto(request.state)
        rows = await self._db.read(lambda conn: strategies.page(conn, request.world_id, state, page))
        shown, info = page_of(rows, page, strategies.key_of, wire.strategy_to_proto)
        worlds = require_user().worlds
        readable = [one for one in shown if worlds is None or set(one.world_ids) <= worlds]
        return strategyservicepb.ListStrategiesResponse(strategies=readable, page=info)

    async def CancelStrategy(
        self, request: strategyservicepb.CancelStrategyRequest, context: object
    ) -> strategyservicepb.CancelStrategyResponse:
        message = optional_text(request.message, "message", MESSAGE_MAX)
        await self._readable(request.strategy_id, Role.OPERATOR)
        subject = require_user().subject
        step = Step(State.CANCELED, subject, self._clock.now(), message=message)
        canceled = await self._db.write(lambda conn: strategies.cancel(conn, request.strategy_id, step))
        canceled = await self._released(canceled, self._answer_within_s)
        return strategyservicepb.CancelStrategyResponse(strategy=await self._whole(canceled))

    async def GetStrategyHistory(
        self, request: strategyservicepb.GetStrategyHistoryRequest, context: object
    ) -> strategyservicepb.GetStrategyHistoryResponse:
        await self._readable(request.strategy_id)
        entries = await self._db.read(lambda conn: strategies.history(conn, request.strategy_id))
        return wire.history_to_proto(entries)

    async def _payload(self, chunks: AsyncIterable[Chunk], role: Role) -> strategypb.StrategySubmission:
        """What is submitted, read once the caller is known to have the role in each world that it names."""
        said = require_stated()
        for world_id in said.world_ids:
            await self._roles.require_known(world_id, role)
        asked = await gathered(chunks, said, strategypb.StrategySubmission)
        check_worlds(list(asked.world_ids))
        said.check_worlds(asked.world_ids)
        return asked

    async def _whole(self, record: Record) -> strategypb.Strategy:
        """A strategy with what it came to in its worlds."""
        if not record.plan_version:
            return wire.strategy_to_proto(record)
        outcome = await self._db.read(lambda conn: strategies.outcome_of(conn, record.strategy_id))
        return wire.strategy_to_proto(record, outcome)

    async def _readable(self, strategy_id: str, role: Role = Role.READER) -> Record:
        """A strategy the caller has the role for in each of its worlds."""
        record = await self._db.read(lambda conn: strategies.get(conn, strategy_id))
        for world_id in record.world_ids:
            await self._roles.require_known(world_id, role)
        return record

    async def _released(self, record: Record, within_s: float) -> Record:
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

    async def _changed(self, record: Record) -> Record:
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

    async def _preview(self, asked: strategypb.StrategySubmission, world_id: str) -> strategypb.WorldOutcome:
        decided, found = await asyncio.gather(
            self._peers.evaluation.Decide(evaluationservicepb.DecideRequest(world_id=world_id)),
            self._peers.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id=world_id)),
        )
        presets = found.world.data_presets
        context = await resolve(self._peers, asked.hints, decided.decision, bindingpb.STAGE_BACKTEST, presets)
        return strategypb.WorldOutcome(
            world_id=world_id,
            context=context_to_proto(context),
            decision=wire.without_selected(decided.decision),
        )
