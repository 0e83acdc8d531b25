"""RPCs of decisions and evaluation runs."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from qmtl.core.errors import NotFound, refused
from qmtl.core.modes import ExecutionDomain
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.instants import instant_from_proto
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import evaluation_service_pb2_grpc as evaluationrpc
from worldservice.evaluation import store
from worldservice.evaluation.domain.decision import Decision, DecisionSettings, Verdicts
from worldservice.evaluation.domain.runs import EvaluationRun, Evidence, as_claims, take_evidence
from worldservice.evaluation.facts import decide_world
from worldservice.evaluation.recording import NarrowTo, record_runs
from worldservice.evaluation.replay import store as replays
from worldservice.evaluation.replay.pending import PendingReplay
from worldservice.evaluation.replay.replayer import Replayer, pending_to_proto
from worldservice.evaluation.replay.request import named_list, told
from worldservice.evaluation.wire import (
    decision_to_proto,
    evidence_from_request,
    report_to_proto,
    run_head_to_proto,
    run_to_proto,
    verified_to_proto,
)
from worldservice.graph.store.edges import version_of
from worldservice.policy.domain.evidence import WorldAccount
from worldservice.policy.store import policy_of
from worldservice.worlds.acts import Act, audit_write, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.binding import require_strategy_id
from worldservice.worlds.domain.world import Effect, World
from worldservice.worlds.store import bindings, sessions
from worldservice.worlds.store.worlds import get_world
from worldservice.worlds.writes import AuditedServicer, Writes, audited, audited_in_chunks, beside

HubEvidence = Callable[[Connection, str, str, Evidence], Evidence | None]
"""The run that is asked for with the risk hub's numbers, by world and strategy; None: the hub has none."""
COHORT_MAX = 500
PATIENCE_S = 15.0
VERIFIABLE = "a run whose numbers came from a replay or from books"
SHARE = 0.7  # of the time that the caller has left


def no_hub(conn: Connection, world_id: str, strategy_id: str, asked: Evidence) -> None:
    """Where there is no risk hub."""


class EvaluationServicer(AuditedServicer, evaluationrpc.EvaluationServiceServicer):
    """Runs whose order list is replayed are settled by `replayer`, all others here."""

    def __init__(
        self,
        writes: Writes,
        settings: DecisionSettings,
        narrow_to: NarrowTo,
        replayer: Replayer,
        hub: HubEvidence = no_hub,
    ) -> None:
        super().__init__(writes)
        self._hub = hub
        self._settings = settings
        self._narrow_to = narrow_to
        self._replayer = replayer
        self._verifying = asyncio.Semaphore(1)  # brokerage's time is for runs that wait

    async def Decide(
        self, request: evaluationservicepb.DecideRequest, context: object
    ) -> evaluationservicepb.DecideResponse:
        return evaluationservicepb.DecideResponse(decision=decision_to_proto((await self._verdicts(request)).decision))

    async def ListReports(
        self, request: evaluationservicepb.ListReportsRequest, context: object
    ) -> evaluationservicepb.ListReportsResponse:
        page = page_from_proto(request, (str,))
        verdicts = await self._verdicts(request)
        waiting = await self.writes.db.read(lambda conn: replays.list_pending(conn, request.world_id))
        left = [row for row in sorted(verdicts.reports.items()) if page.after is None or row[0] > page.after[0]]
        reports, info = page_of(left, page, lambda row: (row[0],), lambda row: report_to_proto(row[1]))
        return evaluationservicepb.ListReportsResponse(
            decision=decision_to_proto(verdicts.decision),
            reports=reports,
            page=info,
            unsettled=[pending_to_proto(one) for one in waiting if one.strategy_id in {r.strategy_id for r in reports}],
        )

    async def _verdicts(
        self, request: evaluationservicepb.DecideRequest | evaluationservicepb.ListReportsRequest
    ) -> Verdicts:
        """What the policy says of a world and its strategies now."""
        caller, now = caller_of(current_call()), self.writes.clock.now()
        as_of = instant_from_proto(request.as_of, "as_of") if request.HasField("as_of") else None

        def work(conn: Connection) -> Verdicts:
            world = world_to_read(conn, caller, request.world_id)
            return decide_world(conn, world, self._settings, now, as_of=as_of)

        return await self.writes.db.read(work)

    @audited_in_chunks(evaluationpb.OrderList, told)
    async def PutOrderList(self, request: evaluationpb.OrderList, act: Act) -> evaluationservicepb.PutOrderListResponse:
        name, body = await asyncio.to_thread(named_list, request)

        def work(conn: Connection) -> None:
            world = world_to_write(conn, act, Role.OPERATOR)
            bindings.get_active_binding(conn, world.world_id, request.strategy_id)
            replays.put_list(conn, (world.world_id, request.strategy_id, name), body, act.now)
            audit_write(conn, act, f"{name}, {len(body)} bytes")

        await self.writes.db.write(work)
        return evaluationservicepb.PutOrderListResponse(order_list=name)

    @audited
    async def Evaluate(
        self, request: evaluationservicepb.EvaluateRequest, act: Act
    ) -> evaluationservicepb.EvaluateResponse:
        require_strategy_id(request.strategy_id)
        asked = await beside(request, evidence_from_request)
        if asked.computable:
            return await self._replay(act, request.strategy_id, asked)

        def work(conn: Connection) -> tuple[list[EvaluationRun], Decision, Effect]:
            return self._evaluate(conn, act, {request.strategy_id: asked})

        (run,), decision, effect = await self.writes.db.write(work)
        await self.writes.enforce(act.world_id, effect)
        return evaluationservicepb.EvaluateResponse(run=run_to_proto(run), decision=decision_to_proto(decision))

    @audited_in_chunks(evaluationservicepb.EvaluationCohort)
    async def EvaluateCohort(
        self, request: evaluationservicepb.EvaluationCohort, act: Act
    ) -> evaluationservicepb.EvaluateCohortResponse:
        """All in one transaction and one decision, so that nobody is judged beside yesterday's numbers of another."""
        asked = await beside(request, _cohort)

        def work(conn: Connection) -> tuple[list[EvaluationRun], Decision, Effect]:
            return self._evaluate(conn, act, asked)

        found, decision, effect = await self.writes.db.write(work)
        await self.writes.enforce(act.world_id, effect)
        return evaluationservicepb.EvaluateCohortResponse(
            runs=[run_head_to_proto(run) for run in found], decision=decision_to_proto(decision)
        )

    async def GetEvaluationRun(
        self, request: evaluationservicepb.GetEvaluationRunRequest, context: object
    ) -> evaluationservicepb.GetEvaluationRunResponse:
        caller = caller_of(current_call())
        require_strategy_id(request.strategy_id)

        def work(conn: Connection) -> evaluationpb.EvaluationRun:
            world = world_to_read(conn, caller, request.world_id)
            return _run_message(conn, world.world_id, request.strategy_id, request.run_id)

        return evaluationservicepb.GetEvaluationRunResponse(run=await self.writes.db.read(work))

    async def VerifyEvaluationRun(
        self, request: evaluationservicepb.VerifyEvaluationRunRequest, context: object
    ) -> evaluationservicepb.VerifyEvaluationRunResponse:
        caller = caller_of(current_call())
        require_strategy_id(request.strategy_id)

        def work(conn: Connection) -> EvaluationRun:
            world = world_to_read(conn, caller, request.world_id, Role.OPERATOR)
            if replays.find_waiting(conn, world.world_id, request.strategy_id, request.run_id) is not None:
                raise refused("E_FIELD", "run_id", f"{request.run_id}, which waits for its evidence", VERIFIABLE)
            return store.get_run(conn, world.world_id, request.strategy_id, request.run_id)

        run = await self.writes.db.read(work)
        if not run.evidence.replayed:
            raise refused("E_FIELD", "run_id", f"{request.run_id}, whose numbers are claims", VERIFIABLE)
        async with self._verifying:
            again = await self._replayer.computed(request.world_id, request.strategy_id, run.evidence)
        return verified_to_proto(run, again)

    async def ListEvaluationRuns(
        self, request: evaluationservicepb.ListEvaluationRunsRequest, context: object
    ) -> evaluationservicepb.ListEvaluationRunsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request, (int, int))

        def work(conn: Connection) -> list[tuple[int, EvaluationRun]]:
            world = world_to_read(conn, caller, request.world_id)
            return store.list_runs(conn, world.world_id, request.strategy_id, page)

        found = await self.writes.db.read(work)
        newest = page.after[1] if page.after is not None else max((sequence for sequence, _ in found), default=0)
        runs, info = page_of(found, page, lambda row: (row[0], newest), lambda row: run_to_proto(row[1]))
        return evaluationservicepb.ListEvaluationRunsResponse(runs=runs, page=info)

    def _evaluate(
        self, conn: Connection, act: Act, cohort: Mapping[str, Evidence]
    ) -> tuple[list[EvaluationRun], Decision, Effect]:
        world = world_to_write(conn, act, Role.OPERATOR)
        runs: dict[str, Evidence] = {}
        for strategy_id, asked in cohort.items():
            bindings.get_active_binding(conn, world.world_id, strategy_id)
            runs[strategy_id] = _evidence(conn, world.world_id, strategy_id, asked, self._hub)
            replays.drop_pending(conn, world.world_id, strategy_id, asked.stage)
        return record_runs(conn, world, act, runs, self._settings, self._narrow_to)

    async def _replay(self, act: Act, strategy_id: str, asked: Evidence) -> evaluationservicepb.EvaluateResponse:
        """Let the run wait for the replay of its list, unless it is settled already, and answer how it stands soon."""
        asked = as_claims(asked)

        def work(conn: Connection) -> bool:
            world = world_to_write(conn, act, Role.OPERATOR)
            bindings.get_active_binding(conn, world.world_id, strategy_id)
            _require_ground(conn, world, strategy_id, asked)
            if _settled(conn, world, strategy_id, asked):
                replays.drop_pending(conn, world.world_id, strategy_id, asked.stage)
                audit_write(conn, act, f"run {asked.run_id} again, unchanged")
                return True
            of_now = replace(asked, strategy_version=version_of(conn, world.world_id, strategy_id))
            pending = PendingReplay(
                world.world_id, strategy_id, of_now, act.actor, act.correlation_id, act.now, act.now
            )
            replays.put_pending(conn, pending)
            audit_write(conn, act, f"run {asked.run_id} waits for {asked.order_list or asked.paper_account}")
            return False

        if not await self.writes.db.write(work):
            await self._replayer.attempted((act.world_id, strategy_id, asked.stage), self._patience_s())
        now = self.writes.clock.now()

        def read(conn: Connection) -> tuple[evaluationpb.EvaluationRun, Decision]:
            world = get_world(conn, act.world_id)
            run = _run_message(conn, world.world_id, strategy_id, asked.run_id)
            return run, decide_world(conn, world, self._settings, now).decision

        run, decision = await self.writes.db.read(read)
        return evaluationservicepb.EvaluateResponse(run=run, decision=decision_to_proto(decision))

    @staticmethod
    def _patience_s() -> float:
        """How long an answer may wait for a replay: a share of the caller's own time."""
        left = current_call().remaining_s()
        return PATIENCE_S if left is None else min(PATIENCE_S, SHARE * left)


def _settled(conn: Connection, world: World, strategy_id: str, asked: Evidence) -> bool:
    """Whether the run has its evidence, of the same list and claims, under the terms that the policy asks for now.

    Books may have grown since.
    """
    known, policy = store.find_run(conn, world.world_id, strategy_id, asked.run_id), policy_of(conn, world)
    if known is None or not known.evidence.replayed or asked.paper_account:
        return False
    terms = WorldAccount().text(None) if policy is None else policy.account_text
    same = (known.evidence.ground, known.evidence.claims, known.evidence.account)
    return same == (asked.ground, asked.claims, terms)


def _require_ground(conn: Connection, world: World, strategy_id: str, asked: Evidence) -> None:
    """Raises NotFound (E_ORDER_LIST_UNKNOWN; E_SESSION_UNKNOWN: none of this world's)."""
    if asked.order_list:
        replays.get_list(conn, world.world_id, strategy_id, asked.order_list)
        return
    session = sessions.get_session(conn, asked.session_id)
    if session.world_id != world.world_id or session.domain is not ExecutionDomain.DRYRUN:
        text = f"session {session.session_id} is no paper session of world {world.world_id}"
        raise NotFound("E_SESSION_UNKNOWN", text, hint="name the session that the account trades on")


def _run_message(conn: Connection, world_id: str, strategy_id: str, run_id: str) -> evaluationpb.EvaluationRun:
    """A run at its latest revision, or as it waits. Raises NotFound (E_RUN_UNKNOWN)."""
    pending = replays.find_waiting(conn, world_id, strategy_id, run_id)
    if pending is None:
        return run_to_proto(store.get_run(conn, world_id, strategy_id, run_id))
    return pending_to_proto(pending)


def _cohort(request: evaluationservicepb.EvaluationCohort) -> dict[str, Evidence]:
    """Raises InvalidRequest (E_COHORT): each strategy once, all of one world, run and stage."""
    if not 0 < len(request.strategies) <= COHORT_MAX:
        raise refused("E_COHORT", "strategies", f"{len(request.strategies)} entries", f"1 to {COHORT_MAX}")
    asked: dict[str, Evidence] = {}
    for index, each in enumerate(request.strategies):
        for field, given, want in (
            ("world_id", each.world_id, request.world_id),
            ("run_id", each.run_id, request.run_id),
        ):
            if given and given != want:
                raise refused("E_COHORT", f"strategies[{index}].{field}", given, f"empty or {want!r}")
        for field, given in (("order_list", each.order_list), ("paper_books", each.paper_books.account)):
            if given:
                raise refused("E_FIELD", f"strategies[{index}].{field}", given, "none in a cohort: Evaluate")
        if each.stage not in (bindingpb.STAGE_UNSPECIFIED, request.stage) or each.strategy_id in asked:
            raise refused("E_COHORT", f"strategies[{index}]", each.strategy_id, "each strategy once, at one stage")
        require_strategy_id(each.strategy_id)
        whole = evaluationservicepb.EvaluateRequest(run_id=request.run_id, stage=request.stage)
        whole.MergeFrom(each)
        asked[each.strategy_id] = evidence_from_request(whole, f"strategies[{index}].")
    return asked


def _evidence(conn: Connection, world_id: str, strategy_id: str, asked: Evidence, hub: HubEvidence) -> Evidence:
    """A repeated request without metrics is the run it repeats; else the hub is asked, then the stage's latest run."""
    previous = store.find_run(conn, world_id, strategy_id, asked.run_id)
    if not asked.numbers and previous is not None:
        return previous.evidence
    measured = None if asked.numbers else hub(conn, world_id, strategy_id, asked)
    if measured is not None:
        return measured
    return take_evidence(asked, store.latest_evidence(conn, world_id, asked.stage).get(strategy_id))
