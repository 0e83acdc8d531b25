"""RPCs of decisions and evaluation runs."""

from datetime import datetime

from sqlalchemy import Connection

from qmtl.core.modes import EffectiveMode
from qmtl.rpc.context import current_call
from qmtl.wire.words import instant_from_proto
from qmtl.world.v1 import service_pb2 as pb
from worldservice import runs, store
from worldservice.acts import Act, audited, caller_of, commit, enter, look
from worldservice.domain.access import Role
from worldservice.domain.decisions import Decision, Verdicts
from worldservice.domain.evaluation import EvaluationRun, Evidence, next_revision, take_evidence
from worldservice.domain.worlds import Stage, require_strategy_id
from worldservice.events import run_updated
from worldservice.house import House
from worldservice.settling import Settled, decide_world, settle
from worldservice.tables import outbox
from worldservice.wire import page_from_proto, page_of
from worldservice.wire_decisions import decision_to_proto, evidence_from_request, run_to_proto


class DecisionCalls:
    """What a world may do, and what its strategies have shown."""

    house: House

    async def Decide(self, request: pb.DecideRequest, context: object) -> pb.DecideResponse:
        caller, now = caller_of(current_call()), self.house.clock.now()
        as_of = instant_from_proto(request.as_of, "as_of") if request.HasField("as_of") else None

        def work(conn: Connection) -> Decision:
            world = look(conn, caller, request.world_id)
            return decide_world(conn, world, self.house.rules, now, as_of=as_of).decision

        return pb.DecideResponse(decision=decision_to_proto(await self.house.db.read(work)))

    @audited
    async def Evaluate(self, request: pb.EvaluateRequest, act: Act) -> pb.EvaluateResponse:
        require_strategy_id(request.strategy_id)
        asked = evidence_from_request(request)

        def work(conn: Connection) -> tuple[EvaluationRun, Settled]:
            return self._evaluate(conn, act, request.strategy_id, asked)

        run, settled = await self.house.db.write(work)
        await self.house.enforce(settled)
        decision = decision_to_proto(settled.verdicts.decision)
        return pb.EvaluateResponse(run=run_to_proto(run), decision=decision)

    async def GetEvaluationRun(
        self, request: pb.GetEvaluationRunRequest, context: object
    ) -> pb.GetEvaluationRunResponse:
        caller = caller_of(current_call())
        require_strategy_id(request.strategy_id)

        def work(conn: Connection) -> EvaluationRun:
            world = look(conn, caller, request.world_id)
            return runs.get_run(conn, world.world_id, request.strategy_id, request.run_id)

        return pb.GetEvaluationRunResponse(run=run_to_proto(await self.house.db.read(work)))

    async def ListEvaluationRuns(
        self, request: pb.ListEvaluationRunsRequest, context: object
    ) -> pb.ListEvaluationRunsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request.page, numeric=True)

        def work(conn: Connection) -> list[tuple[int, EvaluationRun]]:
            world = look(conn, caller, request.world_id)
            return runs.list_runs(conn, world.world_id, request.strategy_id, page)

        shown, info = page_of(await self.house.db.read(work), page, lambda row: str(row[0]))
        return pb.ListEvaluationRunsResponse(runs=[run_to_proto(run) for _, run in shown], page=info)

    def _evaluate(self, conn: Connection, act: Act, strategy_id: str, asked: Evidence) -> tuple[EvaluationRun, Settled]:
        world = enter(conn, act, Role.OPERATOR)
        store.get_active_binding(conn, world.world_id, strategy_id)
        previous = runs.find_run(conn, world.world_id, strategy_id, asked.run_id)
        evidence = _evidence(conn, world.world_id, strategy_id, asked, previous)
        revision = next_revision(previous, evidence)
        if revision is None and previous is not None:
            settled = settle(conn, world, self.house.rules, act)
            commit(conn, act, f"run {asked.run_id} again, unchanged")
            return previous, settled
        verdicts = decide_world(conn, world, self.house.rules, act.now, instead={strategy_id: evidence})
        run = _run(act, strategy_id, revision or 1, evidence, verdicts)
        runs.append_run(conn, run)
        outbox.append(conn, run_updated(run, act))
        counted = verdicts if asked.stage is Stage.BACKTEST else None  # other stages do not enter the decision
        settled = settle(conn, world, self.house.rules, act, counted)
        commit(conn, act, _detail(run, settled.verdicts.decision))
        return run, settled


def _evidence(
    conn: Connection, world_id: str, strategy_id: str, asked: Evidence, previous: EvaluationRun | None
) -> Evidence:
    """A repeated request without metrics is the run it repeats; otherwise the stage's latest run is borrowed from."""
    if not asked.numbers and previous is not None:
        return previous.evidence
    return take_evidence(asked, runs.latest_evidence(conn, world_id, asked.stage).get(strategy_id))


def _run(act: Act, strategy_id: str, revision: int, evidence: Evidence, verdicts: Verdicts) -> EvaluationRun:
    report = verdicts.reports.get(strategy_id)
    allowed = verdicts.ceiling_of(strategy_id)
    recommended = Stage.PAPER if allowed in (EffectiveMode.PAPER, EffectiveMode.LIVE) else Stage.BACKTEST
    created_at: datetime = act.now
    return EvaluationRun(act.world_id, strategy_id, revision, evidence, report, recommended, act.actor, created_at)


def _detail(run: EvaluationRun, decision: Decision) -> str:
    summary = "not judged: no policy" if run.report is None else run.report.summary.value
    return f"run {run.evidence.run_id} revision {run.revision}: {summary}; world {decision.effective_mode.value}"
