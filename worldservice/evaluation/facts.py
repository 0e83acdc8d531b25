"""Reads everything a world's decision rests on in one transaction, and decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from qmtl.core.modes import domain_of
from worldservice.evaluation import store
from worldservice.evaluation.domain.data_currency import data_state
from worldservice.evaluation.domain.decision import DecisionSettings, Verdicts, WorldFacts, decide
from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.evaluation.domain.runs import Candidate, Evidence
from worldservice.graph.domain.edges import UNTOUCHED, Edges
from worldservice.graph.store import edges
from worldservice.policy.domain.evidence import EvidenceRule
from worldservice.policy.domain.policy import Policy
from worldservice.policy.store import policy_of
from worldservice.worlds.domain.binding import Binding, Stage
from worldservice.worlds.domain.world import World, is_replay
from worldservice.worlds.store import approvals, bindings
from worldservice.worlds.store import sessions as sessions_store
from worldservice.worlds.store.feeds import feeds_of

STALE_TTL = timedelta(seconds=5)  # a feed that comes back makes no event: what it changes is asked about soon


def decide_world(
    conn: Connection,
    world: World,
    settings: DecisionSettings,
    now: datetime,
    *,
    as_of: datetime | None = None,
    instead: Mapping[str, Evidence] | None = None,
) -> Verdicts:
    """The decision on a world; a read. `instead`: evidence to judge some strategies by, in place of the stored."""
    facts = load_facts(conn, world, settings, now, instead or {})
    verdicts = decide(facts, now, as_of=as_of, ttl=settings.decision_ttl)
    if DecisionReason.DATA_STALE in verdicts.decision.reasons:
        ttl = min(verdicts.decision.ttl, STALE_TTL)
        verdicts = replace(verdicts, decision=replace(verdicts.decision, ttl=ttl))
    if as_of is not None:
        return verdicts
    wanted = domain_of(verdicts.decision.effective_mode)
    starts = [s.start for s in sessions_store.open_sessions(conn, world.world_id) if s.domain is wanted]
    if not starts:
        return verdicts
    return replace(verdicts, decision=replace(verdicts.decision, as_of=starts[0]))


def load_facts(
    conn: Connection, world: World, settings: DecisionSettings, now: datetime, instead: Mapping[str, Evidence]
) -> WorldFacts:
    """Read what a world's decision rests on; `instead` replaces the stored evidence of strategies by name.

    Runs of other stages than BACKTEST are read where the policy has profiles or guards for them.
    """
    policy = policy_of(conn, world)
    evidence = {stage: dict(store.latest_evidence(conn, world.world_id, stage)) for stage in stages_of(policy)}
    for strategy_id, given in instead.items():
        evidence[given.stage if given.stage in evidence else Stage.BACKTEST][strategy_id] = given
    bound = bindings.active_bindings(conn, world.world_id).values()
    stands = standings(conn, world.world_id, policy)
    candidates = tuple(_candidate(binding, evidence, stands(binding.strategy_id)) for binding in bound)
    ends = _data_ends(policy, [c.evidence for c in candidates if c.evidence is not None])
    replay = is_replay(world, settings.replay_presets)
    sessions = sessions_store.open_sessions(conn, world.world_id)
    feeds = () if replay else feeds_of(conn, world.data_presets)
    unfed = len(set(world.data_presets)) - len(feeds)
    data = data_state(now, max(ends, default=None), sessions, feeds, unfed, replay=replay)
    approved = approvals.approved(conn, world.world_id, now, world.default_policy_version)
    remembers = policy is not None and policy.hysteresis is not None
    tenures = store.tenures_of(conn, world.world_id) if remembers else {}
    return WorldFacts(world, policy, candidates, data, replay, approved, tenures)


def _data_ends(policy: Policy | None, runs: Sequence[Evidence]) -> list[datetime]:
    """Where the data of runs ends; what is claimed says it only where nothing was replayed or claims are taken."""
    asked = policy is not None and policy.evidence is EvidenceRule.REPLAY
    told = [run for run in runs if run.replayed] if asked and any(run.replayed for run in runs) else runs
    return [run.data_end for run in told if run.data_end is not None]


def stages_of(policy: Policy | None) -> tuple[Stage, ...]:
    """The stages whose runs join a policy's decision."""
    if policy is None:
        return (Stage.BACKTEST,)
    clean = policy.gating.no_cross_context
    paper = Stage.PAPER in policy.profiles or bool(policy.gating.divergence) or clean
    live = Stage.LIVE in policy.profiles or clean
    return (Stage.BACKTEST, *([Stage.PAPER] if paper else []), *([Stage.LIVE] if live else []))


def standings(conn: Connection, world_id: str, policy: Policy | None) -> Callable[[str], Edges]:
    """By strategy, how its graph stands; openings are read only where the policy asks for them."""
    cuts = edges.cuts_of(conn, world_id)
    asked = policy is not None and policy.gating.edges is not None
    if not cuts.off and not asked:
        return lambda name: UNTOUCHED
    opened = edges.opened_of(conn, world_id) if asked else {}
    unknown = edges.strategies_without_nodes(conn, world_id) if cuts.off else frozenset()
    return lambda name: Edges(cuts.off, name not in unknown, cuts.of.get(name, ()), opened.get(name, frozenset()))


def _candidate(binding: Binding, evidence: Mapping[Stage, Mapping[str, Evidence]], stands: Edges) -> Candidate:
    """A bound strategy with its newest run of each stage that counts."""
    backtest, paper, live = (evidence.get(stage, {}).get(binding.strategy_id) for stage in Stage)
    return Candidate(binding.strategy_id, binding.sides, backtest, paper, live, stands)
