"""Snapshots in the store, on SQLite and PostgreSQL: one version once, what is current, forecasts, retention, limits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.errors import Conflict, NotFound, NotReady
from qmtl.core.paging import Page
from qmtl.sql.database import Database
from tests.worldservice.risk.books import AS_OF, book, message_of, series, snapshot_of
from tests.worldservice.samples import binding, evidence, world
from worldservice.evaluation.domain.reports import MetricSource
from worldservice.risk.account_limits import limits_to_proto, put_budgets, put_limits
from worldservice.risk.domain.forecasts.forecast import Forecast, forecast_days
from worldservice.risk.domain.header import SnapshotHeader, SnapshotState
from worldservice.risk.domain.realised import coverage, realised_metrics
from worldservice.risk.domain.returns import daily_returns
from worldservice.risk.domain.scope import parse_scope
from worldservice.risk.domain.snapshot import CASH, RiskStage, Snapshot
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.intake import Put, arrival, store_arrival
from worldservice.risk.reading import current_snapshot, hub_returns, state_of
from worldservice.risk.realised import HubEvidence
from worldservice.risk.store import account_limits, forecasts, snapshots
from worldservice.risk.tables import risk_series, risk_snapshots
from worldservice.risk.wire.reports import merged_limits
from worldservice.worlds.acts import own_act
from worldservice.worlds.domain.binding import Stage
from worldservice.worlds.store import bindings, worlds

ALPHA = parse_scope("world:alpha")
ACCOUNT = parse_scope("account:main")


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, synchronous="NORMAL")
    await database.migrate("worldservice:migrations")

    def fill(conn: Connection) -> None:
        worlds.insert_world(conn, world())
        for name in ("s0", "s1"):
            bindings.save_binding(conn, binding(name))

    await database.write(fill)
    yield database
    await database.close()


def measured(version: str, minutes: float = 0.0, actor: str = "service:brokerage", days: int = 300) -> Snapshot:
    weights, returns = book(2, days, 1)
    one = replace(snapshot_of(weights, returns, "world:alpha", version), as_of=AS_OF + timedelta(minutes=minutes))
    return replace(one, provenance=replace(one.provenance, actor=actor))


async def put(db: Database, snapshot: Snapshot, now: datetime | None = None) -> Put:
    act = own_act("PutSnapshot", "alpha", now or snapshot.as_of)
    found = arrival(message_of(snapshot), snapshot.scope, snapshot.provenance.actor, act.now, SnapshotFiles(""))
    return await db.write(lambda conn: store_arrival(conn, act, found, lambda *_: None))


async def put_by_hand(db: Database, snapshot: Snapshot) -> Put:
    """As an operator of the world puts it, not a service from its books."""
    act = own_act("PutSnapshot", "alpha", snapshot.as_of)
    act = replace(act, caller=replace(act.caller, own_act=False, subject="user:ann"))
    found = arrival(message_of(snapshot), snapshot.scope, "user:ann", act.now, SnapshotFiles(""))
    return await db.write(lambda conn: store_arrival(conn, act, found, lambda *_: None))


async def test_what_a_person_puts_outvotes_no_books(db: Database) -> None:
    def read(conn: Connection) -> tuple[str | None, str | None]:
        found = [snapshots.newest(conn, ALPHA, RiskStage.LIVE, actor) for actor in ("", "user:ann")]
        judged, by_hand = (None if one is None else one.version for one in found)
        return judged, by_hand

    day = await put_by_hand(db, measured("h1"))
    assert await db.read(read) == ("h1", "h1")  # alone it stands
    first = day.header.as_of.toordinal()
    assert await db.read(lambda conn: forecasts.has_forecast(conn, ALPHA, RiskStage.LIVE, first))
    await put(db, measured("v1", minutes=1))
    await put_by_hand(db, measured("h2", minutes=60))
    assert await db.read(read) == ("v1", "h2")
    await put_by_hand(db, measured("h3", minutes=60 * 24))
    assert await db.read(read) == ("v1", "h3")
    assert not await db.read(lambda conn: forecasts.has_forecast(conn, ALPHA, RiskStage.LIVE, first + 1))


async def states(db: Database, now: datetime) -> dict[str, SnapshotState]:
    def work(conn: Connection) -> dict[str, SnapshotState]:
        found = snapshots.list_snapshots(conn, ALPHA, None, Page(100))
        return {one.version: state_of(conn, one, now) for one in found}

    return await db.read(work)


async def test_a_version_is_stored_once(db: Database) -> None:
    first = await put(db, measured("v1"))
    assert (first.header.revision, first.deduplicated) == (1, False)
    again = await put(db, measured("v1"))
    assert (again.header, again.deduplicated) == (first.header, True)
    with pytest.raises(Conflict, match="E_SNAPSHOT_CONFLICT") as refused:
        await put(db, measured("v1", days=299))
    assert refused.value.metadata["hash"] == first.header.hash
    found = await db.read(lambda conn: current_snapshot(conn, ALPHA, AS_OF, RiskStage.LIVE))
    assert found.content_hash() == first.header.hash == measured("v1").content_hash()
    returns, version = await db.read(lambda conn: hub_returns(conn, "alpha", RiskStage.LIVE))
    assert (dict(returns), version) == (dict(measured("v1").returns), "v1")
    assert await db.read(lambda conn: hub_returns(conn, "alpha", RiskStage.PAPER)) == ({}, "")


async def test_of_two_producers_that_race_for_a_version_one_conflicts(db: Database) -> None:
    racing = [put(db, measured("v1", actor=f"service:{name}")) for name in ("one", "two")]
    done = await asyncio.gather(*racing, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Conflict", "Put"]


async def test_the_highest_as_of_is_current_and_expires(db: Database) -> None:
    await put(db, measured("v2", 5))
    late = await put(db, measured("v1"), AS_OF + timedelta(minutes=6))
    assert late.header.revision == 2
    await put(db, measured("v3", 1, actor="ann"))
    now = AS_OF + timedelta(minutes=7)
    current, superseded, expired = SnapshotState.CURRENT, SnapshotState.SUPERSEDED, SnapshotState.EXPIRED
    assert await states(db, now) == {"v2": current, "v1": superseded, "v3": current}
    assert await states(db, AS_OF + timedelta(minutes=20)) == {"v2": expired, "v1": superseded, "v3": expired}
    with pytest.raises(NotReady, match=r"E_SNAPSHOT_EXPIRED: snapshot v2 of world:alpha is of .* 900 s ago"):
        await db.read(lambda conn: current_snapshot(conn, ALPHA, AS_OF + timedelta(minutes=20)))
    with pytest.raises(NotReady, match="E_SNAPSHOT_MISSING: world:alpha has no snapshot of PAPER"):
        await db.read(lambda conn: current_snapshot(conn, ALPHA, now, RiskStage.PAPER))
    at = await db.read(lambda conn: snapshots.newest(conn, ALPHA, until=AS_OF + timedelta(minutes=4)))
    assert at is not None
    assert at.version == "v3"
    after = await db.read(lambda conn: snapshots.after_revision(conn, ALPHA, 1, 10))
    assert [one.version for one in after] == ["v1", "v3"]
    standing = await db.read(lambda conn: snapshots.standing(conn, ALPHA))
    assert [one.version for one in standing] == ["v2", "v3"]
    page = await db.read(lambda conn: snapshots.list_snapshots(conn, ALPHA, RiskStage.LIVE, Page(1)))
    assert [one.version for one in page] == ["v2", "v3"]  # one more than asked: there is a next page


async def test_a_tie_goes_to_the_later_revision(db: Database) -> None:
    await put(db, measured("v1"))
    await put(db, measured("v2", days=299))
    assert await states(db, AS_OF) == {"v1": SnapshotState.SUPERSEDED, "v2": SnapshotState.CURRENT}


async def test_a_strategy_that_was_never_bound_is_refused(db: Database) -> None:
    weights, returns = book(3, 300, 1)
    with pytest.raises(NotFound, match="E_STRATEGY_UNKNOWN: s2 is not bound in world:alpha"):
        await put(db, snapshot_of(weights, returns, "world:alpha"))
    inside = snapshot_of({"alpha/s0": 0.5, CASH: 0.5}, {"alpha/s0": returns["s0"]}, "account:main")
    assert (await put(db, inside)).header.scope == ACCOUNT
    with pytest.raises(NotFound, match="E_STRATEGY_UNKNOWN: s0 is not bound in account:main"):
        await put(db, replace(inside, version="v2", weights={"s0": 1.0}, returns={"s0": returns["s0"]}))
    others = {"@operator": 0.25, "alpha/@overlay": 0.25, "alpha/s0": 0.5}
    series_of = dict(zip(others, returns.values(), strict=True))
    assert not (await put(db, snapshot_of(others, series_of, "account:main", "v3"))).deduplicated
    with pytest.raises(NotFound, match="E_STRATEGY_UNKNOWN: @somebody is not bound"):
        await put(db, snapshot_of({"@somebody": 1.0}, {"@somebody": returns["s0"]}, "account:main", "v4"))


async def test_the_first_report_of_a_day_is_its_forecast(db: Database) -> None:
    first = await put(db, measured("v1"))
    await put(db, measured("v2", 60, days=299))
    await put(db, measured("v3", 24 * 60 - 1, days=299), AS_OF + timedelta(days=1, minutes=1))
    day = AS_OF.date().toordinal()
    found = await db.read(lambda conn: forecasts.forecasts_of(conn, ALPHA, RiskStage.LIVE, day - 1, day + 1))
    assert [(one.day, one.snapshot_version) for one in found] == [(day, "v1")]
    assert found[0].var_99 == first.header.figures["var_99"]
    assert found[0].es_975 == first.header.figures["es_975"]
    assert dict(found[0].weights) == measured("v1").invested()


def test_a_forecast_is_judged_by_the_return_of_its_book() -> None:
    day = AS_OF.date()
    numbers = {day + timedelta(days=at): value for at, value in enumerate([0.01, -0.05, 0.02, -0.03]) if at not in (2,)}
    one = daily_returns(numbers, [day + timedelta(days=2)])
    start = day.toordinal()
    made = [Forecast(start + at, f"v{at}", {"s0": 0.5}, 0.02, 0.018, 0.021) for at in (0, 1, 2, 3)]
    days, missing = forecast_days(made, {"s0": one}, start, start + 5)
    assert [(found.day - start, found.realised, found.exception) for found in days] == [
        (0, 0.005, False),
        (1, -0.025, True),
        (3, pytest.approx(-0.015), False),  # by the forecast of the closed day before, and counted once
    ]
    assert missing == 2
    assert forecast_days(made, {}, start, start + 3) == ([], 4)


async def test_old_snapshots_are_thinned_to_one_a_day(db: Database) -> None:
    for version, minutes in (("a", 0), ("b", 60), ("c", 120), ("d", 24 * 60), ("e", 40 * 24 * 60)):
        await put(db, measured(version, minutes))
    await put(db, measured("f", 121, actor="ann", days=200))
    whole, daily = timedelta(days=30), timedelta(days=2557)
    now = AS_OF + timedelta(days=40)

    def thin(conn: Connection, at: datetime) -> int:
        snapshots.lock_scope(conn, ALPHA)
        return snapshots.delete_old(conn, ALPHA, at, whole, daily)

    assert await db.write(lambda conn: thin(conn, now)) == 2
    assert sorted(await states(db, now)) == ["c", "d", "e", "f"]
    assert await db.write(lambda conn: thin(conn, now)) == 0
    assert await db.read(lambda conn: conn.execute(select(func.count()).select_from(risk_series)).scalar_one()) == 2
    assert await db.write(lambda conn: thin(conn, now + daily)) == 2
    assert sorted(await states(db, now)) == ["e", "f"]  # the newest of each actor stays
    rows = await db.read(lambda conn: conn.execute(select(risk_snapshots.c.version)).scalars().all())
    assert sorted(rows) == ["e", "f"]


async def test_limits_and_budgets_share_revisions(db: Database) -> None:
    act = own_act("PutAccountLimits", "account:main", AS_OF)
    mine = accountpb.AccountLimits(gross_max="500", budgets=[accountpb.AccountBudget(world_id="w", gross_max="300")])
    stored = await db.write(lambda conn: put_limits(conn, act, "main", mine, ""))
    assert (stored.revision, stored.pending) == (1, True)
    assert (await db.write(lambda conn: put_limits(conn, act, "main", mine, stored.etag))).revision == 1
    with pytest.raises(Conflict, match="E_ETAG_MISMATCH"):
        await db.write(lambda conn: put_limits(conn, act, "main", mine, "main-0"))
    added = [
        accountpb.AccountBudget(world_id="w", gross_max="200", capital="100"),
        accountpb.AccountBudget(world_id="w", strategy_id="s", gross_max="50"),
    ]
    stored = await db.write(lambda conn: put_budgets(conn, act, "main", added))
    told = limits_to_proto(stored)
    assert (told.revision, told.limits_pending) == (2, True)
    assert [(one.world_id, one.strategy_id, one.gross_max, one.capital) for one in told.limits.budgets] == [
        ("w", "", "200", "100"),  # of a world's two budgets the tighter
        ("w", "s", "50", ""),
    ]
    tighter = accountpb.AccountLimits(budgets=[accountpb.AccountBudget(world_id="w", gross_max="20")])
    merged = merged_limits(tighter.SerializeToString(), stored.budgets).budgets
    assert [(one.gross_max, one.capital) for one in merged] == [("20", "100"), ("50", "")]
    assert await db.read(account_limits.pending_accounts) == ["main"]
    assert not await db.write(lambda conn: account_limits.confirm(conn, "main", 3))
    assert await db.write(lambda conn: account_limits.confirm(conn, "main", 1))
    assert await db.read(account_limits.pending_accounts) == ["main"]
    assert await db.write(lambda conn: account_limits.confirm(conn, "main", 2))
    assert await db.read(account_limits.pending_accounts) == []
    assert await db.read(account_limits.known_accounts) == ["main"]


def test_a_header_stands_by_its_place() -> None:
    header = SnapshotHeader(ALPHA, "v", RiskStage.LIVE, "a", True, AS_OF, AS_OF + timedelta(1), AS_OF, 1, "h", {})
    assert header.state(header, AS_OF) is SnapshotState.CURRENT
    assert header.state(replace(header, revision=2), AS_OF) is SnapshotState.SUPERSEDED
    assert header.state(header, header.expires_at) is SnapshotState.EXPIRED
    assert series([0.1]).value_on(AS_OF.date() - timedelta(days=1)) == 0.1
    assert series([0.1]).value_on(AS_OF.date()) is None


async def test_a_paper_run_takes_the_numbers_of_the_hub(db: Database) -> None:
    one = measured("v1")
    await put(db, replace(one, provenance=replace(one.provenance, stage=RiskStage.PAPER)))
    asked = evidence({}, "run-9")
    ask = HubEvidence(SnapshotFiles(""))
    found = await db.read(lambda conn: ask(conn, "alpha", "s0", replace(asked, stage=Stage.PAPER)))
    assert found is not None
    assert (found.run_id, found.coverage, found.data_end) == ("run-9", 1.0, AS_OF)
    assert {number.source for number in found.numbers} == {MetricSource.RISK_HUB}
    assert {number.source_id for number in found.numbers} == {"v1"}
    assert found.values()["total_return"] == pytest.approx(
        math.prod(1.0 + value for value in one.returns["s0"].values) - 1.0
    )
    assert await db.read(lambda conn: ask(conn, "alpha", "s0", replace(asked, stage=Stage.LIVE))) is None
    assert await db.read(lambda conn: ask(conn, "alpha", "t", replace(asked, stage=Stage.PAPER))) is None
    assert await db.read(lambda conn: ask(conn, "alpha", "s0", asked)) is None


def test_coverage_counts_open_days_only() -> None:
    day = AS_OF.date()
    weekdays = daily_returns({day: 0.01, day + timedelta(days=3): 0.01}, [day + timedelta(days=1)])
    assert coverage(weekdays) == pytest.approx(2 / 3)
    assert realised_metrics(weekdays)["effective_history_years"] == pytest.approx(2 / (365.25 * 3 / 4))
