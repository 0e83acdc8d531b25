"""Rows of applies, approvals, hysteresis and the World View Graph, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from qmtl.core.errors import NotFound, QmtlError
from qmtl.core.modes import ExecutionDomain
from qmtl.core.paging import Page
from qmtl.sql.database import Database
from tests.worldservice.apply.test_run import requested, trading
from tests.worldservice.samples import NOW
from worldservice.activation.store import gates
from worldservice.apply import store as apply_store
from worldservice.apply.domain.run import GONE_AFTER, ApplyRun, ApplyState, ApplyTimeouts, Awaited
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.domain.selection import Tenure
from worldservice.graph.domain.nodes import NodeStatus, Validation, WorldNode
from worldservice.graph.store import nodes
from worldservice.worlds.domain.binding import Approval
from worldservice.worlds.store import approvals

A, B = "blake3:" + "a" * 64, "blake3:" + "b" * 64


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, synchronous="NORMAL")
    await database.migrate("worldservice:migrations")
    yield database
    await database.close()


def whole() -> ApplyRun:
    return replace(
        requested(),
        state=ApplyState.FREEZING,
        before=trading().entries,
        intents=("a/s/1",),
        awaited=(Awaited("g", "b", NOW, left=True),),
        until=NOW + timedelta(seconds=30),
        epoch=7,
    )


async def test_deadlines_of_before_the_clock_was_set_back_are_brought_in(db: Database) -> None:
    run = replace(whole(), intents_until=NOW + timedelta(seconds=5))
    limits = ApplyTimeouts(timedelta(seconds=30), timedelta(seconds=5))
    await db.write(lambda conn: apply_store.insert_run(conn, run))
    assert await db.write(lambda conn: apply_store.clamp_runs(conn, NOW, limits)) == 0
    earlier = NOW - timedelta(hours=1)
    assert await db.write(lambda conn: apply_store.clamp_runs(conn, earlier, limits)) == 1
    found = await db.read(lambda conn: apply_store.get_run(conn, run.world_id, run.run_id))
    assert found == replace(
        run,
        until=earlier + timedelta(seconds=30),
        intents_until=earlier + timedelta(seconds=5),
        awaited=(replace(run.awaited[0], gone_at=earlier + GONE_AFTER),),
    )
    own = replace(
        whole(), world_id="beta", run_id="own", freeze_timeout=timedelta(hours=3), until=NOW + timedelta(seconds=60)
    )
    await db.write(lambda conn: apply_store.insert_run(conn, own))
    await db.write(lambda conn: apply_store.clamp_runs(conn, earlier, limits))
    kept = await db.read(lambda conn: apply_store.get_run(conn, own.world_id, "own"))
    assert kept.until == own.until  # the policy's own timeout is longer


async def test_a_run_comes_out_as_it_went_in_with_its_timeline(db: Database) -> None:
    run = whole()

    def fill(conn: Connection) -> None:
        apply_store.insert_run(conn, run)
        apply_store.append_step(conn, run, "asked", NOW)
        apply_store.append_step(conn, replace(run, state=ApplyState.FROZEN), "timed out", NOW + timedelta(seconds=1))

    await db.write(fill)
    assert await db.read(lambda conn: apply_store.get_run(conn, "alpha", "r1")) == run
    assert await db.read(lambda conn: apply_store.last_run(conn, "alpha")) == run
    steps = await db.read(lambda conn: apply_store.steps_of(conn, "alpha", "r1"))
    assert [(step.state, step.detail) for step in steps] == [
        (ApplyState.FREEZING, "asked"),
        (ApplyState.FROZEN, "timed out"),
    ]
    with pytest.raises(NotFound):
        await db.read(lambda conn: apply_store.get_run(conn, "alpha", "r2"))


async def test_the_store_itself_refuses_a_second_running_apply(db: Database) -> None:
    await db.write(lambda conn: apply_store.insert_run(conn, requested("r1")))
    with pytest.raises((IntegrityError, QmtlError)):
        await db.write(lambda conn: apply_store.insert_run(conn, requested("r2")))
    ended = replace(requested("r1"), state=ApplyState.COMPLETED, fence_confirmed=True, ended_at=NOW)
    await db.write(lambda conn: apply_store.save_run(conn, ended))
    await db.write(lambda conn: apply_store.insert_run(conn, requested("r2")))
    assert await db.read(apply_store.unsettled_runs) == [("alpha", "r2")]


async def test_a_frozen_run_is_unsettled_until_its_fence_is_confirmed(db: Database) -> None:
    frozen = replace(requested(), state=ApplyState.FROZEN, ended_at=NOW)
    await db.write(lambda conn: apply_store.insert_run(conn, frozen))
    assert await db.read(apply_store.unsettled_runs) == [("alpha", "r1")]
    await db.write(lambda conn: apply_store.save_run(conn, replace(frozen, fence_confirmed=True)))
    assert await db.read(apply_store.unsettled_runs) == []


async def test_an_ack_counts_once(db: Database) -> None:
    for first in (True, False):
        saved = await db.write(lambda conn: gates.save_ack(conn, "alpha", "r1", "g", "b", 1, NOW))
        assert saved is first
    assert await db.read(lambda conn: gates.acks_of(conn, "alpha", "r1")) == [("g", "b", 1)]


async def test_an_approval_holds_until_it_ends_or_is_taken_back(db: Database) -> None:
    ending = Approval("alpha", "s", "ann", "why", NOW, NOW + timedelta(days=1))
    await db.write(lambda conn: approvals.save_approval(conn, ending))
    assert await db.read(lambda conn: approvals.find_approval(conn, "alpha", "s")) == ending
    assert await db.read(lambda conn: approvals.approved(conn, "alpha", NOW, 1)) == {"s"}
    assert not await db.read(lambda conn: approvals.approved(conn, "alpha", NOW + timedelta(days=1), 1))
    await db.write(lambda conn: approvals.save_approval(conn, replace(ending, revoked_at=NOW)))
    assert not await db.read(lambda conn: approvals.approved(conn, "alpha", NOW, 1))


async def test_tenures_survive(db: Database) -> None:
    first = {"s": Tenure("s", True, NOW, 3, 0, NOW), "t": Tenure("t")}
    await db.write(lambda conn: evaluation_store.save_tenures(conn, "alpha", {}, first))
    assert await db.read(lambda conn: evaluation_store.tenures_of(conn, "alpha")) == first
    moved = {**first, "t": Tenure("t", passes=1, counted_end=NOW)}
    await db.write(lambda conn: evaluation_store.save_tenures(conn, "alpha", first, moved))
    assert await db.read(lambda conn: evaluation_store.tenures_of(conn, "alpha")) == moved


async def test_the_world_view_graph_comes_out_as_it_went_in(db: Database) -> None:
    node = WorldNode("alpha", A, ExecutionDomain.BACKTEST, NodeStatus.VALID, B, {"k": "v"})
    twin = replace(node, domain=ExecutionDomain.DRYRUN)
    validation = Validation(B, "alpha", A, ExecutionDomain.BACKTEST, True, {"x": 0.5}, NOW)

    def fill(conn: Connection) -> None:
        for each in (node, twin):
            nodes.save_node(conn, each)
        nodes.save_validation(conn, validation)

    await db.write(fill)
    assert await db.read(lambda conn: nodes.list_nodes(conn, "alpha", Page(9))) == [node, twin]
    assert await db.read(lambda conn: nodes.list_nodes(conn, "alpha", Page(9, nodes.node_key(node)))) == [twin]
    assert await db.read(lambda conn: nodes.find_validation(conn, "alpha", B)) == validation
    assert await db.write(lambda conn: nodes.drop_validations(conn, "alpha", A, ExecutionDomain.DRYRUN)) == 0
    assert await db.write(lambda conn: nodes.drop_validations(conn, "alpha", "", None)) == 1
