"""RPCs of decisions and evaluation runs."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from qmtl.core.errors import refused
from qmtl.core.modes import EffectiveMode
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.instants import instant_from_proto
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import evaluation_service_pb2_grpc as evaluationrpc
from worldservice.evaluation import store
from worldservice.evaluation.domain.decision import Decision, DecisionSettings, Verdicts
from worldservice.evaluation.domain.pipeline import summarise
from worldservice.evaluation.domain.runs import EvaluationRun, Evidence, next_revision, take_evidence
from worldservice.evaluation.domain.validation import own_verdicts
from worldservice.evaluation.events import run_updated
from worldservice.evaluation.facts import decide_world, stages_of
from worldservice.evaluation.wire import (
    decision_to_proto,
    evidence_from_request,
    report_to_proto,
    run_head_to_proto,
    run_to_proto,
)
from worldservice.policy.store import policy_of
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.binding import Stage, require_strategy_id
from worldservice.worlds.domain.world import Effect, World
from worldservice.worlds.store import bindings
from worldservice.worlds.writes import AuditedServicer, Writes, audited, audited_in_chunks, beside

COHORT_MAX = 500


class EvaluationServicer(AuditedServicer, evaluationrpc.EvaluationServiceServicer):
    """`narrow_to` lowers a world to the verdicts it is given, so that an evaluation decides once."""

    def __init__(
        self,
        writes: Writes,
        settings: DecisionSettings,
        narrow_to: Callable[[Connection, World, Act, Verdicts], Effect],
    ) -> None:
        super().__init__(writes)
        self._settings = settings
        self._narrow_to = narrow_to

    async def Decide(
        self, request: evaluationservicepb.DecideRequest, context: object
    ) -> evaluationservicepb.DecideResponse:
        return evaluationservicepb.DecideResponse(decision=decision_to_proto((await self._verdicts(request)).decision))

    async def ListReports(
        self, request: evaluationservicepb.ListReportsRequest, context: object
    ) -> evaluationservicepb.ListReportsResponse:
        page = page_from_proto(request, (str,))
        verdicts = await self._verdicts(request)
        left = [row for row in sorted(verdicts.reports.items()) if page.after is None or row[0] > page.after[0]]
        reports, info = page_of(left, page, lambda row: (row[0],), lambda row: report_to_proto(row[1]))
        return evaluationservicepb.ListReportsResponse(
            decision=decision_to_proto(verdicts.decision), reports=reports, page=info
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

    @audited
    async def Evaluate(
        self, request: evaluationservicepb.EvaluateRequest, act: Act
    ) -> evaluationservicepb.EvaluateResponse:
        require_strategy_id(request.strategy_id)
        asked = await beside(request, evidence_from_request)

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

        def work(conn: Connection) -> EvaluationRun:
            world = world_to_read(conn, caller, request.world_id)
            return store.get_run(conn, world.world_id, request.strategy_id, request.run_id)

        return evaluationservicepb.GetEvaluationRunResponse(run=run_to_proto(await self.writes.db.read(work)))

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
        known: dict[str, EvaluationRun] = {}
        fresh: dict[str, tuple[int, Evidence]] = {}
        for strategy_id, asked in cohort.items():
            bindings.get_active_binding(conn, world.world_id, strategy_id)
            previous = store.find_run(conn, world.world_id, strategy_id, asked.run_id)
            evidence = _evidence(conn, world.world_id, strategy_id, asked, previous)
            revision = next_revision(previous, evidence)
            if previous is not None:
                known[strategy_id] = previous
            if revision is not None:
                fresh[strategy_id] = (revision, evidence)
        instead = {strategy_id: evidence for strategy_id, (_, evidence) in fresh.items()}
        verdicts = decide_world(conn, world, self._settings, act.now, instead=instead)
        for strategy_id, (revision, evidence) in fresh.items():
            known[strategy_id] = _run(act, strategy_id, revision, evidence, verdicts)
            store.append_run(conn, known[strategy_id])
            outbox.append(conn, run_updated(known[strategy_id], act))
        joined = stages_of(policy_of(conn, world))
        entering = all(evidence.stage in joined for evidence in instead.values())
        if not entering:  # a run of a stage that no rule reads leaves the decision as it is
            verdicts = decide_world(conn, world, self._settings, act.now)
        effect = self._narrow_to(conn, world, act, verdicts)
        found = [known[strategy_id] for strategy_id in cohort]
        audit_write(conn, act, "; ".join(_detail(run, verdicts.decision, run.strategy_id in fresh) for run in found))
        return found, verdicts.decision, effect


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
        if each.stage not in (bindingpb.STAGE_UNSPECIFIED, request.stage) or each.strategy_id in asked:
            raise refused("E_COHORT", f"strategies[{index}]", each.strategy_id, "each strategy once, at one stage")
        require_strategy_id(each.strategy_id)
        whole = evaluationservicepb.EvaluateRequest(run_id=request.run_id, stage=request.stage)
        whole.MergeFrom(each)
        asked[each.strategy_id] = evidence_from_request(whole, f"strategies[{index}].")
    return asked


def _evidence(
    conn: Connection, world_id: str, strategy_id: str, asked: Evidence, previous: EvaluationRun | None
) -> Evidence:
    """A repeated request without metrics is the run it repeats; otherwise the stage's latest run is borrowed from."""
    if not asked.numbers and previous is not None:
        return previous.evidence
    return take_evidence(asked, store.latest_evidence(conn, world_id, asked.stage).get(strategy_id))


def _run(act: Act, strategy_id: str, revision: int, evidence: Evidence, verdicts: Verdicts) -> EvaluationRun:
    report = verdicts.reports.get(strategy_id)
    if report is not None:
        own = own_verdicts(evidence.stage, report.verdicts)
        report = replace(report, verdicts=own, summary=summarise(own))
    allowed = verdicts.promoted().ceiling_of(strategy_id)
    recommended = Stage.PAPER if allowed in (EffectiveMode.PAPER, EffectiveMode.LIVE) else Stage.BACKTEST
    created_at: datetime = act.now
    return EvaluationRun(act.world_id, strategy_id, revision, evidence, report, recommended, act.actor, created_at)


def _detail(run: EvaluationRun, decision: Decision, fresh: bool) -> str:
    summary = "not judged: no policy" if run.report is None else run.report.summary.value
    again = "" if fresh else " again, unchanged"
    return f"run {run.evidence.run_id} revision {run.revision}{again}: {summary}; world {decision.effective_mode.value}"
