"""Has order lists replayed by brokerage and books valued, one at a time for each worker, and records what that gives.

Runs that wait are rows: whoever crashes leaves a lease that ends, and any replica goes on. What brokerage cannot answer
now is asked again with pacing; what it refuses stays refused, and counts for nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog
from sqlalchemy import Connection

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.broker.v1 import replay_service_pb2_grpc as replayrpc
from qmtl.core.errors import QmtlError
from qmtl.core.tasks.ending import first_of
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.streams import scoped
from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.evaluation.domain.runs import Evidence
from worldservice.evaluation.recording import NarrowTo, record_runs
from worldservice.evaluation.replay import store
from worldservice.evaluation.replay.numbers import Replayed, evidence_of
from worldservice.evaluation.replay.pending import REPLAY_TIMEOUT, PendingReplay, after_failure
from worldservice.evaluation.replay.request import data_fingerprint, replay_request
from worldservice.evaluation.wire import account_to_proto, books_to_proto, number_to_proto
from worldservice.policy.domain.evidence import WorldAccount
from worldservice.policy.store import policy_of
from worldservice.worlds.acts import own_act
from worldservice.worlds.data_presets import DataPresets
from worldservice.worlds.domain.binding import Stage
from worldservice.worlds.domain.session import Session
from worldservice.worlds.domain.world import Effect
from worldservice.worlds.store.sessions import get_session
from worldservice.worlds.store.worlds import get_world, lock_world
from worldservice.worlds.wire import stage_to_proto
from worldservice.worlds.writes import Writes

WORKERS = 2
IDLE_S = 1.0
Key = tuple[str, str, Stage]
log = structlog.stdlib.get_logger("qmtl.worldservice.evaluation.replay")


class Replayer:
    """One per process."""

    def __init__(
        self,
        writes: Writes,
        settings: DecisionSettings,
        narrow_to: NarrowTo,
        replays: replayrpc.ReplayServiceAsyncStub,
        presets: DataPresets,
    ) -> None:
        self._writes, self._settings, self._narrow_to, self._replays = writes, settings, narrow_to, replays
        self._presets = presets
        self._wake, self._turn = asyncio.Event(), asyncio.Lock()
        self._waiting: dict[Key, asyncio.Event] = {}
        self._last_world = ""

    async def run(self) -> None:
        """Settle what is due until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(self._work())

    async def attempted(self, key: Key, within_s: float) -> None:
        """Have a run that was just stored replayed now, and wait for the end of the attempt, but not for long."""
        done = self._waiting.setdefault(key, asyncio.Event())
        self._wake.set()
        await first_of(done.wait(), self._writes.clock.sleep(within_s))
        if self._waiting.get(key) is done:
            del self._waiting[key]

    async def _work(self) -> None:
        while True:
            async with self._turn:  # one looks for all that are idle
                pending = await self._next()
            try:
                await self._settle(pending)
            except QmtlError as error:  # the lease ends, and it is taken again
                log.warning("replay_unsettled", error=str(error))
            finally:
                done = self._waiting.pop((pending.world_id, pending.strategy_id, pending.asked.stage), None)
                if done is not None:
                    done.set()

    async def _next(self) -> PendingReplay:
        """Take a run, once one is due and the store answers."""
        while True:
            self._wake.clear()
            now = self._writes.clock.now()
            try:
                pending = await self._writes.db.write(lambda conn: store.take_due(conn, now, self._last_world))  # noqa: B023
            except QmtlError as error:
                log.warning("replays_unread", error=str(error))
                pending = None
            if pending is not None:
                self._last_world = pending.world_id
                return pending
            await first_of(self._wake.wait(), self._writes.clock.sleep(IDLE_S))

    async def _settle(self, pending: PendingReplay) -> None:
        try:
            evidence = await self.computed(pending.world_id, pending.strategy_id, pending.asked)
        except QmtlError as error:
            later = after_failure(pending, error, self._writes.clock.now())
            log.warning(
                "replay_failed", world=pending.world_id, strategy=pending.strategy_id, state=later.state.value,
                attempts=later.attempts, error=str(error),
            )  # fmt: skip
            await self._writes.db.write(lambda conn: _postpone(conn, pending, later))
            return
        effect = await self._writes.db.write(lambda conn: self._record(conn, pending, evidence))
        await self._writes.enforce(pending.world_id, effect)

    async def computed(self, world_id: str, strategy_id: str, asked: Evidence) -> Evidence:
        """The run with the numbers that its list, or its books, come to under the world's terms of now.

        Raises what brokerage refuses; NotFound (E_ORDER_LIST_UNKNOWN, E_SESSION_UNKNOWN).
        """

        def read(conn: Connection) -> tuple[bytes | Session, tuple[str, ...], accountpb.AccountModel, str]:
            world = get_world(conn, world_id)
            policy = policy_of(conn, world)
            account = WorldAccount() if policy is None else policy.account
            execution = None if policy is None else policy.gating.execution
            model = account_to_proto(account, execution) or accountpb.AccountModel()
            if asked.paper_account:
                return get_session(conn, asked.session_id), world.data_presets, model, account.text(execution)
            ground = store.get_list(conn, world_id, strategy_id, asked.order_list)
            return ground, world.data_presets, model, account.text(execution)

        ground, names, model, terms = await self._writes.db.read(read)
        presets = await self._presets.serving(names)
        if isinstance(ground, Session):
            replayed = await self._valued((world_id, strategy_id, asked.paper_account), ground, model)
            fingerprint = ground.dataset_fingerprint
        else:
            replayed, fingerprint = await self._run(world_id, ground, model)
        asked = replace(asked, dataset_fingerprint=fingerprint)
        return await asyncio.to_thread(evidence_of, asked, terms, model.profile, presets, replayed)

    async def _run(self, world_id: str, body: bytes, model: accountpb.AccountModel) -> tuple[Replayed, str]:
        """What brokerage makes of an order list, and the fingerprint of the data that it is over."""
        request = await asyncio.to_thread(replay_request, body, model)
        prints = tuple(request.dataset_fingerprints)
        chunks = Chunked(replayservicepb.ReplayOrdersRequest, request, [world_id])
        replayed = Replayed()
        with scoped(self._replays.ReplayOrders(chunks, timeout=REPLAY_TIMEOUT.total_seconds())) as parts:
            async for part in parts:
                replayed.take(part)
        return replayed, data_fingerprint(prints)

    async def _valued(self, owner: tuple[str, str, str], session: Session, model: accountpb.AccountModel) -> Replayed:
        """What brokerage's books of a paper account say; `owner`: world, strategy and account."""
        world_id, strategy_id, account = owner
        request = replayservicepb.ReplayBooksRequest(
            world_id=world_id,
            strategy_id=strategy_id,
            account=account,
            data_session_id=session.session_id,
            start=instant_to_proto(session.start),
            account_model=model,
        )
        replayed = Replayed()
        with scoped(self._replays.ReplayBooks(request, timeout=REPLAY_TIMEOUT.total_seconds())) as replies:
            async for reply in replies:
                replayed.take(reply.part)
        return replayed

    def _record(self, conn: Connection, pending: PendingReplay, evidence: Evidence) -> Effect | None:
        """Store what was found, unless the strategy left or another run of it was asked for meanwhile."""
        world = lock_world(conn, pending.world_id)
        if not store.still_asked(conn, pending):
            return None
        store.drop_pending(conn, pending.world_id, pending.strategy_id, pending.asked.stage)
        act = own_act("Evaluate", pending.world_id, self._writes.clock.now())
        act = replace(act, actor=pending.created_by, correlation_id=pending.correlation_id)
        runs = {pending.strategy_id: evidence}
        _, _, effect = record_runs(conn, world, act, runs, self._settings, self._narrow_to)
        return effect


def _postpone(conn: Connection, pending: PendingReplay, later: PendingReplay) -> None:
    if store.still_asked(conn, pending):
        store.put_pending(conn, later)


def pending_to_proto(pending: PendingReplay) -> evaluationpb.EvaluationRun:
    """The message of a run that waits or was refused: without numbers, and why."""
    asked = pending.asked
    return evaluationpb.EvaluationRun(
        world_id=pending.world_id,
        strategy_id=pending.strategy_id,
        run_id=asked.run_id,
        stage=stage_to_proto(asked.stage),
        recommended_stage=stage_to_proto(Stage.BACKTEST),
        created_by=pending.created_by,
        created_at=instant_to_proto(pending.created_at),
        evidence_state=f"EVIDENCE_STATE_{pending.state.name}",
        order_list=asked.order_list,
        paper_books=books_to_proto(asked),
        claims=[number_to_proto(claim) for claim in asked.claims],
        evidence_reason=pending.reason,
        evidence_message=pending.message,
    )
