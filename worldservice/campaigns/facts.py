"""Reads what a strategy's campaign depends on in one transaction, and tells its blocks: to who asks and to an apply."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from qmtl.core.modes import EffectiveMode
from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import divergence_pb2 as divergencepb
from worldservice.activation.store.activations import load_activation
from worldservice.apply import store as apply_store
from worldservice.campaigns import store
from worldservice.campaigns.domain.readiness import Readiness, ReportShown, StageEvidence, blocks_of
from worldservice.campaigns.domain.selection import Selection, selection_of
from worldservice.campaigns.domain.windows import Covered, Window, covered_time
from worldservice.campaigns.reports.store import find_report
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.domain.decision import DecisionSettings, Verdicts
from worldservice.evaluation.domain.reports import Outcome
from worldservice.evaluation.domain.runs import EvaluationRun
from worldservice.evaluation.facts import decide_world
from worldservice.graph.store.edges import version_of
from worldservice.policy.domain.campaign.terms import CampaignTerms
from worldservice.policy.domain.metric_catalogue import CROSS_CONTEXT_HITS
from worldservice.policy.store import policy_of
from worldservice.worlds.domain.binding import Binding, Stage
from worldservice.worlds.domain.block import Block, EnteringLive
from worldservice.worlds.domain.world import World, is_replay
from worldservice.worlds.store import approvals, bindings


@dataclass(frozen=True, slots=True)
class CampaignBlocks:
    """The blocks of campaigns under a policy with a section `campaign`; none without it."""

    settings: DecisionSettings

    def __call__(
        self, conn: Connection, world: World, entering: Sequence[EnteringLive], now: datetime, *, switching: bool
    ) -> Sequence[Block]:
        policy = policy_of(conn, world)
        if policy is None or policy.campaign is None:
            return ()
        verdicts = decide_world(conn, world, self.settings, now)
        names = {one.strategy_id for one in entering}
        bound, found = bindings.active_bindings(conn, world.world_id), list[Block]()
        for one in entering:
            if one.strategy_id not in bound:
                continue  # the apply itself refuses it
            facts = WorldCampaigns(conn, world, self.settings, policy.campaign, verdicts, names)
            found.extend(blocks_of(facts.readiness(bound[one.strategy_id], now), now, switching=switching))
        return found


@dataclass(frozen=True, slots=True)
class WorldCampaigns:
    """One world's policy and decision of now, under which its strategies are looked at."""

    conn: Connection
    world: World
    settings: DecisionSettings
    terms: CampaignTerms
    verdicts: Verdicts
    entering: Collection[str] = ()

    def readiness(self, binding: Binding, now: datetime) -> Readiness:
        """Everything that the blocks of a strategy depend on."""
        world_id, name = self.world.world_id, binding.strategy_id
        version = version_of(self.conn, world_id, name)
        backtests, papers = (self._computed(name, stage) for stage in (Stage.BACKTEST, Stage.PAPER))
        mine = [run for run in (*backtests, *papers) if run.evidence.strategy_version == version]
        campaign = store.find_campaign(self.conn, world_id, name)
        return Readiness(
            strategy_id=name,
            stage=binding.stage,
            terms=self.terms,
            version=version,
            backtest=self._stage(backtests, version, self._selection(name, backtests, version)),
            paper=self._stage(papers, version, None),
            other_version=bool(backtests or papers) and not mine,
            failed_rules=self._failed(name),
            live_others=self._live_others(name, now),
            approval=approvals.find_approval(self.conn, world_id, name),
            demoted_at=campaign.demoted_at,
            allow_live=self.world.allow_live,
            replay=is_replay(self.world, self.settings.replay_presets),
            report=self._report(name),
            overrides=frozenset(
                (one.run_id, one.revision, one.rule) for one in store.overrides_holding(self.conn, world_id, name, now)
            ),
        )

    def running(self) -> str:
        """The apply that is under way in the world; empty: none."""
        last = apply_store.last_run(self.conn, self.world.world_id)
        return last.run_id if last is not None and last.ended_at is None else ""

    def _report(self, name: str) -> ReportShown | None:
        """The newest divergence report, whatever its version."""
        found = find_report(self.conn, self.world.world_id, name)
        if found is None:
            return None
        return ReportShown(
            verdict=divergencepb.DivergenceVerdict.Name(found.verdict).removeprefix("DIVERGENCE_VERDICT_"),
            reasons=tuple(found.reasons),
            version=found.strategy_version,
            start=instant_from_proto(found.start, "start"),
            end=instant_from_proto(found.end, "end"),
        )

    def _computed(self, name: str, stage: Stage) -> list[EvaluationRun]:
        """Runs whose numbers were computed here: replays of order lists, brokerage's books of paper."""
        runs = evaluation_store.runs_of_stage(self.conn, self.world.world_id, name, stage)
        return [run for run in runs if run.evidence.replayed]

    def _stage(self, runs: Sequence[EvaluationRun], version: str, selection: Selection | None) -> StageEvidence | None:
        mine = [run for run in runs if run.evidence.strategy_version == version]
        if not mine:
            return None
        newest = mine[0].evidence
        terms = self.terms.backtest.window if newest.stage is Stage.BACKTEST else self.terms.paper.window
        covered = [
            Covered(run.evidence.data_start, run.evidence.data_end, run.evidence.coverage)
            for run in mine
            if run.evidence.data_start is not None and run.evidence.data_end is not None
        ]
        values = newest.values()
        return StageEvidence(
            run_id=newest.run_id,
            revision=mine[0].revision,
            window=Window(covered_time(covered), terms),
            trades=values.get("n_trades"),
            cross_context_hits=values.get(CROSS_CONTEXT_HITS),
            selection=selection,
        )

    def _selection(self, name: str, runs: Sequence[EvaluationRun], version: str) -> Selection | None:
        newest = next((run.evidence for run in runs if run.evidence.strategy_version == version), None)
        if newest is None or newest.moments is None:
            return None
        versions = evaluation_store.versions_evaluated(self.conn, self.world.world_id, name)
        return selection_of(newest.moments, len(versions), store.trials_of(self.conn, self.world.world_id, name))

    def _failed(self, name: str) -> tuple[str, ...]:
        """Rules of the policy that fail, or that nothing selects it."""
        report = self.verdicts.reports.get(name)
        if report is None:
            return ("the policy: it was never evaluated",)
        failed = tuple(verdict.rule for verdict in report.verdicts if verdict.outcome is Outcome.FAIL)
        if failed:
            return failed
        return () if name in self.verdicts.decision.selected else ("the policy's selection",)

    def _live_others(self, name: str, now: datetime) -> int:
        """How many other strategies hold a live slot: trading live, or entering in the same apply before this one."""
        activation = load_activation(self.conn, self.world.world_id, self.world.created_at)
        live = {e.strategy_id for e in activation.entries if e.effective_mode is EffectiveMode.LIVE and not e.drain}
        bound = bindings.active_bindings(self.conn, self.world.world_id)
        live |= {one.strategy_id for one in bound.values() if one.stage is Stage.LIVE}
        return len((live - {name}) | {one for one in self.entering if one < name})
