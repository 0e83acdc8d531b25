"""Stores runs and decides with them, in one transaction: what is asked by a call and what a replay settled alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from qmtl.core.modes import EffectiveMode
from worldservice.evaluation import store
from worldservice.evaluation.domain.decision import Decision, DecisionSettings, Verdicts
from worldservice.evaluation.domain.pipeline import summarise
from worldservice.evaluation.domain.runs import EvaluationRun, Evidence, next_revision
from worldservice.evaluation.domain.validation import own_verdicts
from worldservice.evaluation.events import run_updated
from worldservice.evaluation.facts import decide_world, stages_of
from worldservice.graph.store.edges import version_of
from worldservice.policy.store import policy_of
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write
from worldservice.worlds.domain.binding import Stage
from worldservice.worlds.domain.world import Effect, World

NarrowTo = Callable[[Connection, World, Act, Verdicts], Effect]
"""Lowers a world to the verdicts it is given, so that an evaluation decides once."""


def record_runs(
    conn: Connection,
    world: World,
    act: Act,
    runs: Mapping[str, Evidence],
    settings: DecisionSettings,
    narrow_to: NarrowTo,
) -> tuple[list[EvaluationRun], Decision, Effect]:
    """Store the runs of bound strategies that say something new, decide and narrow. The caller has locked the world."""
    known: dict[str, EvaluationRun] = {}
    fresh: dict[str, tuple[int, Evidence]] = {}
    for strategy_id, shown in runs.items():
        evidence = shown  # what is borrowed from an earlier run stays evidence of the version it was of
        if not evidence.strategy_version:
            evidence = replace(shown, strategy_version=version_of(conn, world.world_id, strategy_id))
        previous = store.find_run(conn, world.world_id, strategy_id, evidence.run_id)
        revision = next_revision(previous, evidence)
        if previous is not None:
            known[strategy_id] = previous
        if revision is not None:
            fresh[strategy_id] = (revision, evidence)
    instead = {strategy_id: evidence for strategy_id, (_, evidence) in fresh.items()}
    verdicts = decide_world(conn, world, settings, act.now, instead=instead)
    for strategy_id, (revision, evidence) in fresh.items():
        known[strategy_id] = _run(act, strategy_id, revision, evidence, verdicts)
        store.append_run(conn, known[strategy_id])
        outbox.append(conn, run_updated(known[strategy_id], act))
    joined = stages_of(policy_of(conn, world))
    entering = all(evidence.stage in joined for evidence in instead.values())
    if not entering:  # a run of a stage that no rule reads leaves the decision as it is
        verdicts = decide_world(conn, world, settings, act.now)
    effect = narrow_to(conn, world, act, verdicts)
    found = [known[strategy_id] for strategy_id in runs]
    audit_write(conn, act, "; ".join(_detail(run, verdicts.decision, run.strategy_id in fresh) for run in found))
    return found, verdicts.decision, effect


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
    named = f"run {run.evidence.run_id} of {run.strategy_id} revision {run.revision}{again}"
    return f"{named}: {summary}; world {decision.effective_mode.value}"
