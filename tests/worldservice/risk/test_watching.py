"""Rules of a policy judged snapshot by snapshot: breaches move once a snapshot, exits narrow once and never widen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from qmtl.core.errors import InvalidRequest, NotReady
from qmtl.core.paging import Page
from qmtl.sql.database import Database
from tests.worldservice.risk.books import message_of, series, snapshot_of
from tests.worldservice.samples import DOCUMENT, NOW
from tests.worldservice.stored import SETTINGS, add_strategy, confirm_fence, load, make_trading, open_store, put_policy
from worldservice.activation.domain.activation import FenceState, Phase
from worldservice.activation.domain.hold import Hold, HoldState
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.activation.recording import record_activation
from worldservice.activation.store import activations
from worldservice.activation.store.holds import save_hold
from worldservice.evaluation.facts import decide_world
from worldservice.metrics import WorldMetrics
from worldservice.policy.domain.policy import parse_policy
from worldservice.policy.domain.risk.terms import ExitAct, ExitTarget
from worldservice.risk.domain.breaches.breach import Breach, BreachState, Standing, acknowledged, acted, moved, watched
from worldservice.risk.domain.scope import parse_scope
from worldservice.risk.domain.snapshot import RiskStage, Snapshot
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.intake import Put, arrival, store_arrival
from worldservice.risk.store import breaches
from worldservice.risk.watching import RiskWatch
from worldservice.worlds.acts import own_act
from worldservice.worlds.domain.binding import Side, Stage
from worldservice.worlds.store import audit, bindings, worlds

ALPHA = parse_scope("world:alpha")
CALM = [0.01, -0.01] * 150
FALLING = [*CALM[:-1], -0.3]


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_store(tmp_path) as database:
        yield database


def place(rule: str) -> str:
    """A rule's place in its policy."""
    return rule.partition("#")[0]


def rules(text: str) -> str:
    return f"{DOCUMENT}risk: {text}\n"


def begin(conn: Connection, document: str, *others: str) -> None:
    """World alpha with s and others trading on paper under a policy."""
    alpha = put_policy(conn, make_trading(conn), document)
    for name in others:
        add_strategy(conn, name, Stage.PAPER)
        before, bound = load(conn), bindings.active_bindings(conn, "alpha")
        verdicts = decide_world(conn, alpha, SETTINGS, NOW)
        change = Change(name, Side.LONG, active=True, stage=Stage.PAPER)
        after, _ = change_activation(
            before, [change], bound, verdicts.ceiling_of, NOW, verdicts.terms, verdicts.exit_of
        )
        record_activation(conn, alpha, SETTINGS, own_act("Test", "alpha", NOW), verdicts, before, after)
    confirm_fence(conn)


def paper(number: int, weights: dict[str, float], values: dict[str, list[float]]) -> Snapshot:
    as_of = NOW + timedelta(minutes=number)
    last = as_of.date() - timedelta(days=1)
    one = snapshot_of(weights, {name: series(row, last) for name, row in values.items()}, "world:alpha", f"v{number}")
    return replace(one, as_of=as_of, provenance=replace(one.provenance, stage=RiskStage.PAPER))


async def put(db: Database, snapshot: Snapshot) -> Put:
    act = own_act("PutSnapshot", "alpha", snapshot.as_of)
    watch = RiskWatch(SETTINGS, WorldMetrics(CollectorRegistry()))
    found = arrival(message_of(snapshot), ALPHA, "service:brokerage", act.now, SnapshotFiles(""))

    def work(conn: Connection) -> Put:
        worlds.lock_world(conn, "alpha")
        return store_arrival(conn, act, found, watch.judge)

    return await db.write(work)


async def listed(db: Database) -> list[Breach]:
    return await db.read(lambda conn: breaches.list_breaches(conn, ALPHA, None, Page(100)))


async def test_a_strategy_in_drawdown_drains_once_after_its_snapshots_in_a_row(db: Database) -> None:
    text = '{exit: [{when: "drawdown > 0.15", for: 2, of: strategy, act: drain}]}'
    await db.write(lambda conn: begin(conn, rules(text), "t"))
    weights, fallen = {"s": 0.5, "t": 0.5}, {"s": FALLING, "t": CALM}
    before = await db.read(load)
    assert (await put(db, paper(1, weights, fallen))).effect is None
    assert [(one.state, one.count, one.target) for one in await listed(db)] == [(BreachState.PENDING, 1, "s")]
    assert (await put(db, paper(1, weights, fallen))).deduplicated  # the same snapshot counts once
    assert [one.count for one in await listed(db)] == [1]
    done = await put(db, paper(2, weights, fallen))
    assert done.effect is not None
    assert done.effect.fence_pending
    after = await db.read(load)
    assert {entry.strategy_id: entry.drain for entry in after.entries if entry.active} == {"s": True, "t": False}
    assert after.fence.epoch == before.fence.epoch + 1
    assert after.fence.state is FenceState.OPEN
    acted_on = (await listed(db))[0]
    assert (acted_on.state, place(acted_on.rule), acted_on.target) == (BreachState.ACTED, "paper:exit[0]", "s")
    assert "drawdown" in acted_on.figures
    assert acted_on.detail.startswith("drain s: drawdown > 0.15: drawdown 0.3")
    assert (await put(db, paper(3, weights, fallen))).effect is None
    assert (await put(db, paper(4, weights, {"s": CALM, "t": CALM}))).effect is None  # coming back takes an operator
    assert await db.read(load) == after
    log = await db.read(lambda conn: audit.list_audit(conn, "alpha", Page(100)))
    exits = [row for row in log if row.event == "RiskExit"]
    assert len(exits) == 1
    assert f"{acted_on.rule} of snapshot v2" in exits[0].detail
    assert "drawdown 0.3" in exits[0].detail


def raised(conn: Connection, *names: str) -> None:
    """An operator lets strategies trade again that an exit drained."""
    alpha, before, bound = worlds.get_world(conn, "alpha"), load(conn), bindings.active_bindings(conn, "alpha")
    verdicts = decide_world(conn, alpha, SETTINGS, NOW)
    changes = [Change(name, Side.LONG, active=True, drain=False, stage=Stage.PAPER) for name in names]
    after, _ = change_activation(before, changes, bound, verdicts.ceiling_of, NOW, verdicts.terms, verdicts.exit_of)
    record_activation(conn, alpha, SETTINGS, own_act("Test", "alpha", NOW), verdicts, before, after)


async def draining(db: Database) -> set[str]:
    return {entry.strategy_id for entry in (await db.read(load)).entries if entry.active and entry.drain}


async def test_who_is_raised_again_without_an_acknowledgement_is_led_out_again(db: Database) -> None:
    text = '{exit: [{when: "drawdown > 0.15", for: 2, of: strategy, act: drain}]}'
    await db.write(lambda conn: begin(conn, rules(text), "t"))
    weights, fallen = {"s": 0.5, "t": 0.5}, {"s": FALLING, "t": CALM}
    for number in (1, 2):
        await put(db, paper(number, weights, fallen))
    first = (await listed(db))[0]
    await db.write(lambda conn: raised(conn, "s"))
    assert await draining(db) == set()
    assert (await put(db, paper(3, weights, fallen))).effect is None  # two in a row, again
    assert (await put(db, paper(4, weights, {"s": CALM, "t": CALM}))).effect is None  # within: none in a row
    assert (await put(db, paper(5, weights, fallen))).effect is None
    held = (await listed(db))[0]
    assert (held.state, held.count, held.snapshot_version, held.detail) == (
        BreachState.ACTED, 1, "v2", first.detail,
    )  # fmt: skip
    assert (await put(db, paper(6, weights, fallen))).effect is not None
    assert await draining(db) == {"s"}
    again = await listed(db)
    assert [(one.sequence, one.state, one.count, one.snapshot_version) for one in again] == [
        (first.sequence, BreachState.ACTED, 0, "v6")
    ]
    for number in (7, 8, 9):  # it is on its way out
        assert (await put(db, paper(number, weights, fallen))).effect is None
    log = await db.read(lambda conn: audit.list_audit(conn, "alpha", Page(100)))
    assert [sum(row.event == event for row in log) for event in ("RiskExit", "RiskBreach")] == [2, 2]


async def test_a_book_that_grew_meanwhile_loses_its_next_largest(db: Database) -> None:
    text = '{exit: [{when: "var_99 > 0.012", of: largest_component, act: drain}]}'
    await db.write(lambda conn: begin(conn, rules(text), "t", "u"))
    quiet, wild = [0.002, -0.002] * 150, [0.02, 0.02, -0.02, -0.02] * 75
    returns = {"s": quiet, "t": wild, "u": wild}
    await put(db, paper(1, {"s": 0.2, "t": 0.7, "u": 0.1}, returns))
    assert await draining(db) == {"t"}
    assert (await put(db, paper(2, {"s": 0.2, "t": 0.7, "u": 0.1}, returns))).effect is None  # the rest is within
    assert (await put(db, paper(3, {"s": 0.2, "t": 0.2, "u": 0.6}, returns))).effect is not None
    assert await draining(db) == {"t", "u"}


async def test_a_rule_of_another_policy_acts_although_the_one_in_its_place_has(db: Database) -> None:
    text = '{exit: [{when: "drawdown > 0.15", of: strategy, act: drain}]}'
    await db.write(lambda conn: begin(conn, rules(text), "t"))
    weights, fallen = {"s": 0.5, "t": 0.5}, {"s": FALLING, "t": CALM}
    assert (await put(db, paper(1, weights, fallen))).effect is not None
    other = '{exit: [{when: "drawdown > 0.1", of: strategy, act: freeze}]}'
    await db.write(lambda conn: put_policy(conn, worlds.get_world(conn, "alpha"), rules(other)))
    assert (await put(db, paper(2, weights, fallen))).effect is not None
    after = await db.read(load)
    assert {entry.strategy_id: entry.freeze for entry in after.entries if entry.active} == {"s": True, "t": False}
    assert [(place(one.rule), one.act, one.state) for one in await listed(db)] == [
        ("paper:exit[0]", "freeze", BreachState.ACTED), ("paper:exit[0]", "drain", BreachState.ACTED),
    ]  # fmt: skip


async def test_a_world_freezes_whole(db: Database) -> None:
    text = '{exit: [{when: "es_975 > 0.001", of: world, act: freeze}]}'
    await db.write(lambda conn: begin(conn, rules(text), "t"))
    assert (await put(db, paper(1, {"s": 0.5, "t": 0.5}, {"s": CALM, "t": CALM}))).effect is not None
    after = await db.read(load)
    assert all(entry.freeze for entry in after.entries if entry.active)
    assert after.fence.state is FenceState.FROZEN


async def test_the_largest_components_drain_until_the_rest_is_within(db: Database) -> None:
    text = '{exit: [{when: "var_99 > 0.012", of: largest_component, act: drain}]}'
    await db.write(lambda conn: begin(conn, rules(text), "t", "u"))
    quiet, wild = [0.002, -0.002] * 150, [0.02, 0.02, -0.02, -0.02] * 75
    weights = {"s": 0.6, "t": 0.2, "u": 0.2}  # the largest weight is not the largest risk
    await put(db, paper(1, weights, {"s": quiet, "t": wild, "u": [-one for one in quiet]}))
    drains = {entry.strategy_id for entry in (await db.read(load)).entries if entry.drain}
    assert drains == set()  # within: nothing to do
    await put(db, paper(2, {"s": 0.2, "t": 0.7, "u": 0.1}, {"s": quiet, "t": wild, "u": quiet}))
    drains = {entry.strategy_id for entry in (await db.read(load)).entries if entry.drain}
    assert drains == {"t"}


async def test_a_number_that_is_not_known_alarms_and_stops_nobody(db: Database) -> None:
    text = '{limits: {var_99: 0.5}, exit: [{when: "leverage > 2.0 || drawdown > 0.9", of: world, act: freeze}]}'
    await db.write(lambda conn: begin(conn, rules(text)))
    await put(db, paper(1, {"s": 1.0}, {"s": CALM[:30]}))
    found = {place(one.rule): (one.state, one.act) for one in await listed(db)}
    assert found == {
        "paper:RISK_UNKNOWN:limits.var_99": (BreachState.BREACHED, ""),
        "paper:RISK_UNKNOWN:exit[0]": (BreachState.BREACHED, ""),
    }
    assert not any(entry.freeze for entry in (await db.read(load)).entries)


async def test_a_limit_clears_after_two_snapshots_well_within(db: Database) -> None:
    await db.write(lambda conn: begin(conn, rules("{limits: {drawdown: 0.2}}")))
    for number, row, state in (
        (1, FALLING, BreachState.BREACHED),
        (2, CALM, BreachState.BREACHED),
        (3, CALM, BreachState.CLEARED),
    ):
        await put(db, paper(number, {"s": 1.0}, {"s": row}))
        assert (await listed(db))[0].state is state
    await put(db, paper(4, {"s": 1.0}, {"s": FALLING}))
    assert [one.state for one in await listed(db)] == [BreachState.BREACHED, BreachState.CLEARED]  # a new one
    await db.write(lambda conn: put_policy(conn, worlds.get_world(conn, "alpha"), rules("{limits: {vol: 9.0}}")))
    await put(db, paper(5, {"s": 1.0}, {"s": FALLING}))
    assert (await listed(db))[0].detail == "neither rule nor target is there any more"


async def test_while_an_apply_holds_the_activation_the_next_snapshot_tries_again(db: Database) -> None:
    text = '{exit: [{when: "drawdown > 0.15", of: strategy, act: drain}]}'
    await db.write(lambda conn: begin(conn, rules(text)))
    await db.write(lambda conn: save_hold(conn, "alpha", Hold("run", HoldState.RUNNING)))
    assert (await put(db, paper(1, {"s": 1.0}, {"s": FALLING}))).effect is None
    assert (await listed(db))[0].state is BreachState.BREACHED
    assert "an apply holds the activation" in (await listed(db))[0].detail

    def completed(conn: Connection) -> None:
        """An apply leaves its last phase on the activation that it opened."""
        save_hold(conn, "alpha", Hold("run", HoldState.RELEASED))
        activations.save_activation(conn, replace(load(conn), phase=Phase.UNFREEZE, run_id="run", sequence=3))

    await db.write(completed)
    assert (await put(db, paper(2, {"s": 1.0}, {"s": FALLING}))).effect is not None
    assert (await listed(db))[0].state is BreachState.ACTED


async def test_live_rules_leave_paper_alone(db: Database) -> None:
    text = '{exit: [{when: "drawdown > 0.15", of: strategy, act: drain}]}'
    await db.write(lambda conn: begin(conn, rules(text)))
    one = paper(1, {"s": 1.0}, {"s": FALLING})
    await put(db, replace(one, provenance=replace(one.provenance, stage=RiskStage.LIVE)))
    assert "nothing there trades" in (await listed(db))[0].detail
    assert not any(entry.drain for entry in (await db.read(load)).entries)


@pytest.mark.parametrize(("state", "standing"), list(product(BreachState, Standing)))
def test_every_pair_of_state_and_standing(state: BreachState, standing: Standing) -> None:
    """The table of docs/risk.md with two snapshots in a row wanted, from a breach that was within once before."""
    before = replace(watched("world:alpha", "r", ""), state=state, count=1, calm=1)
    beyond, within = standing is Standing.BEYOND, standing is Standing.WITHIN
    want = {
        BreachState.WATCHED: BreachState.BREACHED if beyond else BreachState.WATCHED,
        BreachState.PENDING: BreachState.BREACHED if beyond else BreachState.WATCHED,
        BreachState.BREACHED: BreachState.CLEARED if within else BreachState.BREACHED,
        BreachState.ACTED: BreachState.ACTED,
        BreachState.ACKNOWLEDGED: BreachState.ACKNOWLEDGED,
        BreachState.CLEARED: BreachState.CLEARED,
    }[state]
    after = moved(before, standing, 2, NOW)
    assert after.state is want


def test_acts_and_acknowledgements_in_their_states_only() -> None:
    for state in BreachState:
        breach = replace(watched("world:alpha", "r", ""), state=state, sequence=7)
        if state in (BreachState.BREACHED, BreachState.ACTED):
            assert acted(breach, "drain s", NOW).state is BreachState.ACTED
        else:
            with pytest.raises(NotReady, match=f"E_BREACH_STATE: breach 7 of world:alpha is {state.value}"):
                acted(breach, "drain s", NOW)
        if state in (BreachState.ACTED, BreachState.ACKNOWLEDGED):
            assert acknowledged(breach, "ann", "seen", NOW).state is BreachState.ACKNOWLEDGED
        else:
            with pytest.raises(NotReady, match="E_BREACH_STATE"):
                acknowledged(breach, "ann", "seen", NOW)


def test_the_section_of_a_policy() -> None:
    found = parse_policy(
        rules(
            "{freshness: {max_age: 15m}, limits: {var_99: 0.03, incremental_var_99: 0.005}, exit: ["
            '{when: "drawdown > 0.15", for: 2, of: strategy, act: drain},'
            '{when: "es_975 > 0.10", of: world, act: freeze},'
            '{when: "var_99 > 0.06", of: largest_component, act: drain}]}'
        )
    ).risk
    assert found is not None
    assert found.max_age == timedelta(minutes=15)
    assert found.limits == {"var_99": 0.03, "incremental_var_99": 0.005}
    assert [(place(one.name), one.in_a_row, one.of, one.act) for one in found.exits] == [
        ("exit[0]", 2, ExitTarget.STRATEGY, ExitAct.DRAIN),
        ("exit[1]", 1, ExitTarget.WORLD, ExitAct.FREEZE),
        ("exit[2]", 1, ExitTarget.LARGEST_COMPONENT, ExitAct.DRAIN),
    ]
    assert parse_policy(DOCUMENT).risk is None


@pytest.mark.parametrize(
    ("text", "reason", "path"),
    [
        ("{limits: {var_98: 0.1}}", "E_POLICY_KEY_UNKNOWN", "risk.limits.var_98"),
        ("{limits: {var_99: 0}}", "E_POLICY_VALUE", "risk.limits.var_99"),
        ("{limits: {var_99: yes}}", "E_POLICY_VALUE", "risk.limits.var_99"),
        ("{candidate_share: 1.0}", "E_POLICY_VALUE", "risk.candidate_share"),
        ("{freshness: {max_age: 0m}}", "E_POLICY_VALUE", "risk.freshness.max_age"),
        ("{freshness: {max_age: soon}}", "E_POLICY_UNIT", "risk.freshness.max_age"),
        ("{exit: 7}", "E_POLICY_VALUE", "risk.exit"),
        ("{exit: [{when: 7, of: world, act: drain}]}", "E_POLICY_VALUE", "risk.exit[0].when"),
        ('{exit: [{when: "sharpe > 1.0", of: world, act: drain}]}', "E_POLICY_METRIC_UNKNOWN", "risk.exit[0].when"),
        ('{exit: [{when: "var_99 > 0.1", of: strategy, act: drain}]}', "E_POLICY_METRIC_UNKNOWN", "risk.exit[0].when"),
        ('{exit: [{when: "var_99 > 0.1", for: 0, of: world, act: drain}]}', "E_POLICY_VALUE", "risk.exit[0].for"),
        ('{exit: [{when: "var_99 > 0.1", of: mesh, act: drain}]}', "E_POLICY_VALUE", "risk.exit[0].of"),
        ('{exit: [{when: "var_99 > 0.1", of: world, act: sell}]}', "E_POLICY_VALUE", "risk.exit[0].act"),
    ],
)
def test_a_section_that_is_wrong_names_its_path(text: str, reason: str, path: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_policy(rules(text))
    assert (refused.value.reason, refused.value.violations[0].field) == (reason, path)
