"""Decide a world and bring its activation down to the decision, inside one transaction of the caller.

Every write that can change a decision ends with `settle`, and so does each round of the re-decider; a lower
mode, its revision, epoch, sessions and events are therefore committed together or not at all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

import structlog
from sqlalchemy import Connection

from controlbus.database import signal
from qmtl.core.errors import InvalidRequest
from qmtl.core.modes import domain_of
from worldservice import activations, applies, edges, runs, store
from worldservice.acts import Act, commit_change
from worldservice.domain import activation as domain
from worldservice.domain.activation import Activation
from worldservice.domain.decisions import Verdicts, WorldFacts, changed, decide
from worldservice.domain.edges import Opened, still_open
from worldservice.domain.evaluation import UNTOUCHED, Candidate, Edges, Evidence
from worldservice.domain.policy import Policy, parse_policy
from worldservice.domain.sessions import Session, SessionPlan, data_state, follow
from worldservice.domain.worlds import Binding, Stage, World, is_replay
from worldservice.events import activation_updated, decision_updated
from worldservice.tables import outbox
from worldservice.wire_activation import activation_to_proto

ACTIVATION_SIGNAL = "activation"
log = structlog.stdlib.get_logger("qmtl.worldservice")
compiled = lru_cache(maxsize=256)(parse_policy)  # by document, which a version never changes


@dataclass(frozen=True, slots=True)
class HouseRules:
    """What of the settings a decision depends on."""

    replay_presets: tuple[str, ...]
    decision_ttl: timedelta


@dataclass(frozen=True, slots=True)
class Settled:
    """What a world came to: its decision with the reports, its activation and open sessions."""

    verdicts: Verdicts
    activation: Activation
    sessions: tuple[Session, ...]


def decide_world(
    conn: Connection,
    world: World,
    rules: HouseRules,
    now: datetime,
    *,
    as_of: datetime | None = None,
    instead: Mapping[str, Evidence] | None = None,
) -> Verdicts:
    """The decision on a world; a read. `instead`: evidence to judge some strategies by, in place of the stored."""
    facts = load_facts(conn, world, rules, now, instead or {})
    verdicts = decide(facts, now, as_of=as_of, ttl=rules.decision_ttl)
    if as_of is not None:
        return verdicts
    wanted = domain_of(verdicts.decision.effective_mode)
    starts = [s.start for s in activations.open_sessions(conn, world.world_id) if s.domain is wanted]
    if not starts:
        return verdicts
    return replace(verdicts, decision=replace(verdicts.decision, as_of=starts[0]))


def load_facts(
    conn: Connection, world: World, rules: HouseRules, now: datetime, instead: Mapping[str, Evidence]
) -> WorldFacts:
    """A policy's gates judge backtest runs; those of other stages are read where it has profiles or guards for them."""
    policy = policy_of(conn, world)
    evidence = {stage: dict(runs.latest_evidence(conn, world.world_id, stage)) for stage in stages_of(policy)}
    for strategy_id, given in instead.items():
        evidence[given.stage if given.stage in evidence else Stage.BACKTEST][strategy_id] = given
    bound = store.active_bindings(conn, world.world_id).values()
    stands = standings(conn, world.world_id, policy)
    candidates = tuple(_candidate(binding, evidence, stands(binding.strategy_id)) for binding in bound)
    ends = [c.evidence.data_end for c in candidates if c.evidence is not None and c.evidence.data_end is not None]
    replay = is_replay(world, rules.replay_presets)
    sessions = activations.open_sessions(conn, world.world_id)
    data = data_state(now, max(ends, default=None), sessions, replay=replay)
    approved = applies.approved(conn, world.world_id, now)
    remembers = policy is not None and policy.hysteresis is not None
    tenures = runs.tenures_of(conn, world.world_id) if remembers else {}
    return WorldFacts(world, policy, candidates, data, replay, approved, tenures)


def stages_of(policy: Policy | None) -> tuple[Stage, ...]:
    """The stages whose runs join a policy's decision."""
    if policy is None:
        return (Stage.BACKTEST,)
    clean = policy.gating.no_cross_context
    paper = Stage.PAPER in policy.profiles or bool(policy.gating.divergence) or clean
    live = Stage.LIVE in policy.profiles or clean
    return (Stage.BACKTEST, *([Stage.PAPER] if paper else []), *([Stage.LIVE] if live else []))


def opened_now(conn: Connection, world: World) -> Opened:
    """What applies have opened to whom and the world's policy leaves open."""
    policy = policy_of(conn, world)
    return still_open(edges.opened_of(conn, world.world_id), policy.gating.edges if policy else None)


def standings(conn: Connection, world_id: str, policy: Policy | None) -> Callable[[str], Edges]:
    """By strategy, how its graph stands; untold graphs are asked for while edges are off, openings if a policy asks."""
    cuts = edges.cuts_of(conn, world_id)
    asked = policy is not None and policy.gating.edges is not None
    if not cuts.off and not asked:
        return lambda name: UNTOUCHED
    opened = edges.opened_of(conn, world_id) if asked else {}
    untold = edges.untold(conn, world_id) if cuts.off else frozenset()
    return lambda name: Edges(cuts.off, name not in untold, cuts.of.get(name, ()), opened.get(name, frozenset()))


def _candidate(binding: Binding, evidence: Mapping[Stage, Mapping[str, Evidence]], stands: Edges) -> Candidate:
    """A bound strategy with its newest run of each stage that counts."""
    backtest, paper, live = (evidence.get(stage, {}).get(binding.strategy_id) for stage in Stage)
    return Candidate(binding.strategy_id, binding.sides, backtest, paper, live, stands)


def settle(conn: Connection, world: World, rules: HouseRules, act: Act, verdicts: Verdicts | None = None) -> Settled:
    """Record the decision if it is news, and lower the activation where the decision is lower.

    `verdicts` spares deciding again when the caller has just decided on what is now stored.
    """
    verdicts = verdicts or decide_world(conn, world, rules, act.now)
    if changed(runs.last_decision(conn, world.world_id), verdicts.decision):
        runs.append_decision(conn, verdicts.decision)
        outbox.append(conn, decision_updated(verdicts.decision, act))
    if verdicts.tenures:
        runs.save_tenures(conn, world.world_id, runs.tenures_of(conn, world.world_id), verdicts.tenures)
    before = activations.load_activation(conn, world.world_id, world.created_at)
    bindings = store.active_bindings(conn, world.world_id)
    after = domain.settle(before, bindings, verdicts.ceiling_of, act.now, verdicts.terms, verdicts.exit_of)
    return record(conn, world, rules, act, verdicts, before, after)


def record(
    conn: Connection,
    world: World,
    rules: HouseRules,
    act: Act,
    verdicts: Verdicts,
    before: Activation,
    after: Activation,
) -> Settled:
    """Store an activation that moved on, with its sessions, its place in the history and its event."""
    open_now = activations.open_sessions(conn, world.world_id)
    if after is before:
        return Settled(verdicts, after, open_now)
    for session in follow(after, open_now, session_plan(world, rules, verdicts, act.now), act.now):
        activations.save_session(conn, session)
    open_now = activations.open_sessions(conn, world.world_id)
    activations.save_activation(conn, after)
    commit_change(conn, act, before, after)
    envelope = activation_to_proto(after, open_now)
    activations.append_history(conn, world.world_id, after.revision, envelope.SerializeToString(deterministic=True))
    outbox.append(conn, activation_updated(after, open_now, act))
    signal(conn, ACTIVATION_SIGNAL)
    return Settled(verdicts, after, open_now)


def session_plan(world: World, rules: HouseRules, verdicts: Verdicts, now: datetime) -> SessionPlan:
    """A live session starts now; a replay starts where the evaluated data ends, so that it plays what is new."""
    decision = verdicts.decision
    start = decision.data_end or now if is_replay(world, rules.replay_presets) else now
    preset = world.data_presets[0] if world.data_presets else ""
    return SessionPlan(start, preset, decision.dataset_fingerprint)


def policy_of(conn: Connection, world: World) -> Policy | None:
    """The world's policy compiled; None: none is set, or what is stored cannot be read."""
    if world.default_policy_version == 0:
        return None
    record = store.get_policy(conn, world.world_id, world.default_policy_version)
    try:
        return compiled(record.document)
    except InvalidRequest as error:  # accepted by an older build: nothing may trade on what is not understood
        log.error("policy_unreadable", world=world.world_id, version=record.version, error=str(error))
        return None
