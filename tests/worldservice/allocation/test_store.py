"""Shares, budgets and runs in the store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from qmtl.core.errors import NotFound, NotReady
from qmtl.core.paging import Page
from qmtl.sql.database import Database
from tests.worldservice.allocation.books import NOW, F, shares
from worldservice.allocation.domain.run import LegProgress, Run, RunState, moved
from worldservice.allocation.domain.shares import OVERLAY, AllocationSet, Terms
from worldservice.allocation.store import runs, sets
from worldservice.allocation.store.runs import Recorded

BUSY_S = 10.0


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, synchronous="NORMAL")
    await database.migrate("worldservice:migrations")
    yield database
    await database.close()


def allocation(revision: int, account: str = "main", **worlds: str) -> AllocationSet:
    found = shares(worlds, {f"{world}/s": "0.1" for world in worlds})
    terms = Terms(F(1, 50), two_person=True)
    return AllocationSet(account, revision, f"r{revision}", found, terms, "why", "ann", NOW, f"content {revision}")


def run(run_id: str, account: str = "main") -> Run:
    until = NOW + timedelta(minutes=5)
    return Run(account, run_id, RunState.RECORDED, 1, "hash", "content", "why", "ann", NOW, until, ("a", "b"))


async def test_sets_come_back_as_they_were_recorded(db: Database) -> None:
    first, second = allocation(1, a="0.123456789"), allocation(2, a="0.3", b="0.2")

    def work(conn: Connection) -> None:
        assert sets.newest_set(conn, "main") is None
        for found in (first, second, allocation(1, "other", c="0.1")):
            sets.insert_set(conn, found)
        assert sets.newest_set(conn, "main") == sets.get_set(conn, "main", 0) == second
        assert sets.get_set(conn, "main", 1) == sets.set_of_run(conn, "main", "r1") == first
        assert sets.set_of_run(conn, "main", "r3") is None
        assert sets.list_sets(conn, "main", Page(10, None)) == [second, first]
        assert sets.list_sets(conn, "main", Page(10, (2,))) == [first]
        with pytest.raises(NotFound, match="account main has no revision 3 of shares"):
            sets.get_set(conn, "main", 3)

    await db.write(work)
    with pytest.raises(IntegrityError):
        await db.write(lambda conn: sets.insert_set(conn, replace(second, run_id="again")))


async def test_budgets_remember_exact_equity_and_who_waits(db: Database) -> None:
    def work(conn: Connection) -> None:
        state = sets.lock_account(conn, "main")
        assert (state.equity, state.is_pending) == (None, False)
        assert sets.lock_account(conn, "main") == state
        made = replace(state, set_revision=2, sent_revision=1, equity=F(1, 3), leverage_max=F(3, 2), day=20_000)
        sets.save_budget_state(conn, made)
        assert sets.budget_state(conn, "main") == made
        assert made.is_pending
        sets.lock_account(conn, "none")
        assert sets.budget_states(conn) == [made], "an account without shares has no budgets"

    await db.write(work)


async def test_two_who_touch_an_account_first_wait_for_each_other(db: Database, database_url: str) -> None:
    other, locked, begun = Database(database_url, synchronous="NORMAL"), threading.Event(), threading.Event()

    def first(conn: Connection) -> None:
        state = sets.lock_account(conn, "main")
        locked.set()
        if conn.dialect.name == "postgresql":  # SQLite lets the second begin when this one is over
            assert begun.wait(BUSY_S)
        sets.save_budget_state(conn, replace(state, set_revision=7))

    def second(conn: Connection) -> int:
        begun.set()
        return sets.lock_account(conn, "main").set_revision

    try:
        waiting = asyncio.create_task(db.write(first))
        await asyncio.to_thread(locked.wait, BUSY_S)
        assert await other.write(second) == 7
        await waiting
    finally:
        await other.close()


async def test_the_share_of_a_strategy_in_its_world(db: Database) -> None:
    def work(conn: Connection) -> None:
        for account, revision, found in (
            ("one", 1, shares({"a": "0.4", "b": "0.2"}, {"a/s": "0.1", f"b/{OVERLAY}": "0.1"})),
            ("two", 1, shares({"a": "0.2"}, {"a/s": "0.1"})),
        ):
            sets.insert_set(conn, replace(allocation(revision, account), shares=found))
            sets.save_budget_state(conn, replace(sets.lock_account(conn, account), set_revision=1))
        assert sets.share_in_world(conn, "a", "s") == 0.5
        assert sets.share_in_world(conn, "a", "other") == 0.0
        assert sets.share_in_world(conn, "b", "s") is None, "a hedge divides nothing"

    await db.write(work)


async def test_runs_come_back_and_one_of_an_account_is_under_way(db: Database) -> None:
    progress = (LegProgress(F(-1, 3), F(-20_000), (("USD", F("9.0045")),), "NOT_FILLED"), LegProgress())
    going = replace(moved(run("one"), RunState.EXECUTING, NOW), progress=progress, epoch=3, executed_by="bob")

    def work(conn: Connection) -> None:
        for each in (run("one"), run("two"), run("one", "other")):
            runs.insert_run(conn, Recorded(each, b"asked", b"\x00planned"))
        runs.save_run(conn, going)
        found = runs.get_run(conn, "main", "one", lock=True)
        assert (found.run, found.request, found.plan) == (going, b"asked", b"\x00planned")
        assert [each.run.run_id for each in runs.list_runs(conn, "main", Page(10, None))] == ["two", "one"]
        assert [each.run.run_id for each in runs.list_runs(conn, "main", Page(10, (2,)))] == ["one"]
        runs.save_run(conn, replace(moved(run("one", "other"), RunState.EXECUTING, NOW)))
        assert runs.going_runs(conn) == [("main", "one"), ("other", "one")]
        with pytest.raises(NotFound, match="no rebalance 'three'"):
            runs.get_run(conn, "main", "three")

    await db.write(work)
    with pytest.raises(NotReady, match="a rebalance under way: one"):
        await db.write(lambda conn: runs.save_run(conn, moved(run("two"), RunState.EXECUTING, NOW)))
    with pytest.raises(IntegrityError):
        await db.write(lambda conn: runs.insert_run(conn, Recorded(run("one"), b"", b"")))
    await db.write(lambda conn: runs.save_run(conn, moved(going, RunState.COMPLETED, NOW)))
    await db.write(lambda conn: runs.save_run(conn, moved(run("two"), RunState.EXECUTING, NOW)))
