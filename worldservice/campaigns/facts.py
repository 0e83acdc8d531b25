"""Reads what a strategy's campaign depends on in one transaction, and tells its blocks: to who asks and to an apply."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from sqlalchemy import Connection

from qmtl.core.modes import EffectiveMode, ExecutionDomain
from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import divergence_pb2 as divergencepb
from worldservice.activation.domain.activation import Entry
from worldservice.activation.store.activations import load_activation
from worldservice.allocation.domain.shares import AllocationSet
from worldservice.apply import store as apply_store
from worldservice.apply.domain.run import ApplyRun
from worldservice.campaigns import store
from worldservice.campaigns.domain.overrides import Override
from worldservice.campaigns.domain.phases import LIVE, Campaign
from worldservice.campaigns.domain.promotions import Promotion, PromotionState
from worldservice.campaigns.domain.readiness import Readiness, ReportShown, StageEvidence, blocks_of
from worldservice.campaigns.domain.selection import Selection, TrialsSummary, selection_of
from worldservice.campaigns.domain.windows import Window
from worldservice.campaigns.live.shares import sets_naming
from worldservice.campaigns.reports.store import newest_of
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.domain.decision import DecisionSettings, Verdicts
from worldservice.evaluation.domain.reports import Outcome
from worldservice.evaluation.domain.runs import Evidence
from worldservice.evaluation.facts import decide_world
from worldservice.evaluation.stage_records import Recorded, records_of
from worldservice.graph.store.edges import versions_of
from worldservice.policy.domain.campaign.terms import CampaignTerms
from worldservice.policy.domain.metric_catalogue import CROSS_CONTEXT_HITS
from worldservice.policy.store import policy_of
from worldservice.worlds.domain.binding import Approval, Binding, Stage
from worldservice.worlds.domain.block import Block, EnteringLive
from worldservice.worlds.domain.world import World, is_replay
from worldservice.worlds.store import bindings
from worldservice.worlds.store.approvals import approvals_of


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
        names = {one.strategy_id for one in entering}
        facts = WorldCampaigns(
            conn, world, self.settings, policy.campaign, decide_world(conn, world, self.settings, now), names
        )
        found = list[Block]()
        for one in entering:
            if one.strategy_id in facts.bound:  # else the apply itself refuses it
                found.extend(blocks_of(facts.readiness(facts.bound[one.strategy_id], now), now, switching=switching))
        return found


class WorldRows:
    """What the campaigns of one world rest on, each read once for all of them when it is first asked for.

    It is part of one transaction, and made anew after a write.
    """

    def __init__(self, conn: Connection, world: World) -> None:
        self.conn, self.world = conn, world

    @cached_property
    def bound(self) -> Mapping[str, Binding]:
        """Bindings that stand, by strategy."""
        return bindings.active_bindings(self.conn, self.world.world_id)

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """Those of the activation."""
        return load_activation(self.conn, self.world.world_id, self.world.created_at).entries

    @cached_property
    def last_apply(self) -> ApplyRun | None:
        """The world's newest apply."""
        return apply_store.last_run(self.conn, self.world.world_id)

    @cached_property
    def shares(self) -> Sequence[AllocationSet]:
        """The sets of shares in force that name the world."""
        return sets_naming(self.conn, self.world.world_id)

    @cached_property
    def approvals(self) -> Mapping[str, Approval]:
        """Every approval, holding or not, by strategy."""
        return approvals_of(self.conn, self.world.world_id)

    def entries_of(self, name: str) -> Sequence[Entry]:
        """A strategy's entries of the activation."""
        return self._entries_by_strategy.get(name, ())

    def campaign(self, name: str) -> Campaign:
        """A strategy's campaign; one that never moved is at its beginning."""
        return self._campaigns.get(name) or Campaign(self.world.world_id, name)

    def version(self, name: str) -> str:
        """Digest of a strategy's nodes as bound; empty: they were never told."""
        return self._versions.get(name, "")

    def trades_live(self, name: str, now: datetime) -> bool:
        """Whether a strategy is live by an approval that holds, and not on its way out: it may be renewed."""
        binding, approval = self.bound.get(name), self.approvals.get(name)
        if binding is None or binding.stage is not Stage.LIVE or self.campaign(name).phase not in LIVE:
            return False
        holds = approval is not None and approval.holds(now, self.world.default_policy_version)
        return holds and not any(entry.drain for entry in self.entries_of(name))

    def running(self) -> str:
        """The apply that is under way in the world; empty: none."""
        last = self.last_apply
        return last.run_id if last is not None and last.ended_at is None else ""

    @cached_property
    def _entries_by_strategy(self) -> Mapping[str, list[Entry]]:
        found = dict[str, list[Entry]]()
        for entry in self.entries:
            found.setdefault(entry.strategy_id, []).append(entry)
        return found

    @cached_property
    def _campaigns(self) -> Mapping[str, Campaign]:
        return store.campaigns_of(self.conn, self.world.world_id)

    @cached_property
    def _versions(self) -> Mapping[str, str]:
        return versions_of(self.conn, self.world.world_id)


class WorldCampaigns(WorldRows):
    """One world's policy and decision of now, under which its strategies are looked at."""

    def __init__(
        self,
        conn: Connection,
        world: World,
        settings: DecisionSettings,
        terms: CampaignTerms,
        verdicts: Verdicts,
        entering: Collection[str] = (),
    ) -> None:
        super().__init__(conn, world)
        self.settings, self.terms, self.verdicts = settings, terms, verdicts
        self._entering = entering

    def data_end(self, binding: Binding) -> datetime | None:
        """Where the data of a strategy's runs ends: of backtests, then of paper."""
        stage = Stage.BACKTEST if binding.stage is Stage.BACKTEST else Stage.PAPER
        ends = [one.data_end for one in self._recorded(binding.strategy_id, stage)]
        return max((end for end in ends if end is not None), default=None)

    def readiness(self, binding: Binding, now: datetime) -> Readiness:
        """Everything that the blocks of a strategy depend on."""
        name = binding.strategy_id
        computed = [one for stage in (Stage.BACKTEST, Stage.PAPER) for one in self._recorded(name, stage) if one.newest]
        version = self.version(name)
        return Readiness(
            strategy_id=name,
            stage=binding.stage,
            terms=self.terms,
            version=version,
            backtest=self._stage(name, Stage.BACKTEST, self.terms.backtest.window),
            paper=self._stage(name, Stage.PAPER, self.terms.paper.window),
            other_version=bool(computed) and all(one.version != version for one in computed),
            failed_rules=self._failed(name),
            live_others=len((self._live - {name}) | {one for one in self._entering if one < name}),
            approval=self._approval(name, now),
            demoted_at=self.campaign(name).demoted_at,
            allow_live=self.world.allow_live,
            replay=is_replay(self.world, self.settings.replay_presets),
            policy_version=self.world.default_policy_version,
            report=self._report(name, ExecutionDomain.DRYRUN),
            live_report=self._report(name, ExecutionDomain.LIVE) if binding.stage is Stage.LIVE else None,
            overrides=frozenset(
                (one.run_id, one.revision, one.rule)
                for one in self._overrides
                if one.strategy_id == name and now < one.expires_at
            ),
        )

    @cached_property
    def _overrides(self) -> Sequence[Override]:
        return store.overrides_of_world(self.conn, self.world.world_id)

    @cached_property
    def _promotions(self) -> Mapping[str, Promotion]:
        return store.newest_promotions(self.conn, self.world.world_id)

    def _approval(self, name: str, now: datetime) -> Approval | None:
        """A strategy's approval; what a promotion gave has ended with its version and policy, also before that is
        recorded.
        """
        found, given = self.approvals.get(name), self._promotions.get(name)
        if found is None or given is None or given.state is not PromotionState.APPROVED:
            return found
        its = (found.approved_by, found.approved_at) == (given.decided_by, given.decided_at)
        stands = (given.version, given.policy_version) == (self.version(name), self.world.default_policy_version)
        return replace(found, revoked_at=now) if its and not stands else found

    @cached_property
    def _trials(self) -> Mapping[str, TrialsSummary]:
        return store.trials_of_world(self.conn, self.world.world_id)

    @cached_property
    def _records(self) -> Mapping[str, Sequence[Recorded]]:
        return records_of(self.conn, self.world.world_id)

    @cached_property
    def _newest(self) -> Mapping[int, tuple[int, Evidence]]:
        """The newest computed runs of the versions that are bound, with their revision, by the rows of the runs."""
        mine = (
            one.newest
            for name in self.bound
            for one in self._records.get(name, ())
            if one.newest and one.version == self.version(name)
        )
        return evaluation_store.evidence_at(self.conn, frozenset(mine))

    @cached_property
    def _live(self) -> frozenset[str]:
        """Who holds a live slot."""
        live = {e.strategy_id for e in self.entries if e.effective_mode is EffectiveMode.LIVE and not e.drain}
        return frozenset(live | {one.strategy_id for one in self.bound.values() if one.stage is Stage.LIVE})

    def _recorded(self, name: str, stage: Stage) -> list[Recorded]:
        return [one for one in self._records.get(name, ()) if one.stage is stage]

    def _own(self, name: str, stage: Stage) -> Recorded | None:
        """What the computed runs of a strategy's version come to."""
        version = self.version(name)
        return next((one for one in self._recorded(name, stage) if one.version == version and one.newest), None)

    def _stage(self, name: str, stage: Stage, required: timedelta) -> StageEvidence | None:
        recorded = self._own(name, stage)
        if recorded is None:
            return None
        revision, newest = self._newest[recorded.newest]
        values = newest.values()
        return StageEvidence(
            run_id=newest.run_id,
            revision=revision,
            window=Window(recorded.observed, required),
            trades=values.get("n_trades"),
            cross_context_hits=values.get(CROSS_CONTEXT_HITS),
            selection=self._selection(name, newest) if stage is Stage.BACKTEST else None,
        )

    def _selection(self, name: str, newest: Evidence) -> Selection | None:
        if newest.moments is None:
            return None
        versions = {one.version for one in self._records.get(name, ())}
        return selection_of(newest.moments, len(versions), self._trials.get(name))

    def _report(self, name: str, domain: ExecutionDomain) -> ReportShown | None:
        """The newest divergence report on trading in a domain, whatever its version; read where the policy asks."""
        newest = newest_of(self.conn, self.world.world_id, name, domain, 1) if self.terms.divergence_written else []
        if not newest:
            return None
        found = newest[0]
        return ReportShown(
            verdict=divergencepb.DivergenceVerdict.Name(found.verdict).removeprefix("DIVERGENCE_VERDICT_"),
            reasons=tuple(found.reasons),
            version=found.strategy_version,
            start=instant_from_proto(found.start, "start"),
            end=instant_from_proto(found.end, "end"),
        )

    def _failed(self, name: str) -> tuple[str, ...]:
        """Rules of the policy that fail, or that nothing selects it."""
        report = self.verdicts.reports.get(name)
        if report is None:
            return ("the policy: it was never evaluated",)
        failed = tuple(verdict.rule for verdict in report.verdicts if verdict.outcome is Outcome.FAIL)
        if failed:
            return failed
        return () if name in self.verdicts.decision.selected else ("the policy's selection",)
