"""What narrows an activation: every fact a decision rests on, in one transaction with its epoch, event and history."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from qmtl.sql.database import Database
from tests.worldservice.samples import DOCUMENT, NOW, binding, evidence
from tests.worldservice.stored import (
    ACT,
    SETTINGS,
    confirm_fence,
    history,
    load,
    make_trading,
    open_store,
    put_policy,
)
from worldservice.activation.domain.activation import FenceState, can_trade
from worldservice.activation.narrowing import narrow
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.domain.runs import EvaluationRun
from worldservice.graph.domain.nodes import EdgeKey, EdgeOverride
from worldservice.graph.store import edges
from worldservice.tables import outbox
from worldservice.worlds.domain.binding import BindingState, Stage
from worldservice.worlds.domain.world import World, WorldState
from worldservice.worlds.store import bindings, worlds

Narrowing = Callable[[Connection, World], World]
A, B = "blake3:" + "a" * 64, "blake3:" + "b" * 64


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_store(tmp_path) as db:
        await db.write(make_trading)
        yield db


def changed(conn: Connection, alpha: World) -> World:
    worlds.update_world(conn, alpha)
    return alpha


def worse(conn: Connection, alpha: World) -> World:
    numbers = {"sample_days": 90, "sharpe": 0.1, "max_drawdown": 0.1, "win_rate": 0.5, "ulcer_index": 1.0}
    run = EvaluationRun("alpha", "s", 1, evidence(numbers, "run-2"), None, Stage.BACKTEST, "ann", NOW)
    evaluation_store.append_run(conn, run)
    return alpha


def bound(conn: Connection, alpha: World, stage: Stage, state: BindingState) -> World:
    bindings.save_binding(conn, replace(binding("s", stage), state=state))
    return alpha


def edge_off(conn: Connection, alpha: World) -> World:
    edges.save_nodes(conn, "alpha", "s", {A, B})
    key = EdgeKey("alpha", A, ExecutionDomain.DRYRUN, B, ExecutionDomain.DRYRUN)
    edges.save_override(conn, EdgeOverride(key, active=False, reason="bad"))
    return alpha


NARROWINGS: dict[str, Narrowing] = {
    "a breaker that trips": lambda conn, alpha: changed(conn, replace(alpha, circuit_breaker=True)),
    "a world that is suspended": lambda conn, alpha: changed(conn, replace(alpha, state=WorldState.SUSPENDED)),
    "a world that is deleted": lambda conn, alpha: changed(conn, replace(alpha, state=WorldState.DELETED)),
    "a policy that asks more": lambda conn, alpha: put_policy(conn, alpha, DOCUMENT.replace("0.6", "9.0")),
    "numbers that are worse": worse,
    "a stage that is lower": lambda conn, alpha: bound(conn, alpha, Stage.BACKTEST, BindingState.ACTIVE),
    "a strategy that leaves": lambda conn, alpha: bound(conn, alpha, Stage.PAPER, BindingState.REMOVED),
    "an edge that is off": edge_off,
}


@pytest.mark.parametrize("what", NARROWINGS)
async def test_it_narrows_under_an_epoch_of_its_own(db: Database, what: str) -> None:
    before = await db.read(load)
    assert [can_trade(entry) for entry in before.entries] == [True]
    alpha = await db.read(lambda conn: worlds.get_world(conn, "alpha"))
    done = await db.write(lambda conn: narrow(conn, NARROWINGS[what](conn, alpha), SETTINGS, ACT))
    after = await db.read(load)
    assert after == done.activation
    assert (after.revision, after.fence.epoch) == (before.revision + 1, before.fence.epoch + 1)
    assert not any(can_trade(entry) for entry in after.entries)
    assert after.fence.state is FenceState.FROZEN
    assert (done.effect.could_trade, done.effect.fence_pending) == (True, True)


async def test_data_that_grows_stale_narrows_without_a_write(db: Database) -> None:
    alpha = await db.read(lambda conn: worlds.get_world(conn, "alpha"))
    later = replace(ACT, now=NOW + timedelta(minutes=6))
    done = await db.write(lambda conn: narrow(conn, alpha, SETTINGS, later))
    assert done.verdicts.decision.reasons == ("DATA_STALE",)
    assert done.activation.effective_mode is EffectiveMode.COMPUTE_ONLY


async def test_a_decision_as_high_as_before_changes_nothing(db: Database) -> None:
    before = await db.read(load)
    alpha = await db.read(lambda conn: worlds.get_world(conn, "alpha"))
    done = await db.write(lambda conn: narrow(conn, alpha, SETTINGS, ACT))
    assert (done.activation, done.envelope) == (before, None)
    assert (done.effect.could_trade, done.effect.fence_pending) == (True, False)
    assert len(await db.read(history)) == before.revision


async def test_nothing_rises_when_the_cause_is_gone(db: Database) -> None:
    alpha = await db.read(lambda conn: worlds.get_world(conn, "alpha"))
    await db.write(lambda conn: narrow(conn, changed(conn, replace(alpha, circuit_breaker=True)), SETTINGS, ACT))
    await db.write(confirm_fence)
    done = await db.write(lambda conn: narrow(conn, changed(conn, alpha), SETTINGS, ACT))
    assert done.envelope is None
    assert done.activation.effective_mode is EffectiveMode.COMPUTE_ONLY
    assert not done.effect.could_trade


async def test_the_envelope_is_one_for_history_event_and_reply(db: Database) -> None:
    alpha = await db.read(lambda conn: worlds.get_world(conn, "alpha"))
    done = await db.write(lambda conn: narrow(conn, changed(conn, replace(alpha, circuit_breaker=True)), SETTINGS, ACT))
    rows = await db.read(lambda conn: outbox.unsent(conn, 100))
    events = [controlpb.ControlEvent.FromString(row.body) for row in rows]
    published = [event.activation_updated.activation for event in events if event.HasField("activation_updated")]
    assert published[-1] == done.envelope == (await db.read(history))[-1]


async def test_a_decision_is_published_only_when_it_is_news(db: Database) -> None:
    alpha = await db.read(lambda conn: worlds.get_world(conn, "alpha"))
    for _ in range(2):
        await db.write(lambda conn: narrow(conn, alpha, SETTINGS, ACT))
    tripped = replace(alpha, circuit_breaker=True)
    await db.write(lambda conn: narrow(conn, changed(conn, tripped), SETTINGS, ACT))
    assert await db.read(lambda conn: outbox.revision(conn, "decision_updated", "alpha")) == 2
