"""What bars a strategy from newly trading live under a policy with a section `risk`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.sql.database import Database
from tests.worldservice.risk.books import message_of, series, snapshot_of
from tests.worldservice.samples import DOCUMENT, NOW
from tests.worldservice.stored import add_strategy, make_trading, open_store, put_policy
from worldservice.risk.account_limits import put_budgets, put_limits
from worldservice.risk.blocks import RiskBlocks
from worldservice.risk.domain.scope import parse_scope
from worldservice.risk.domain.snapshot import CASH, RiskStage, Snapshot
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.intake import arrival, store_arrival
from worldservice.risk.reading import WORLDS_REMEMBERED, Remembered
from worldservice.risk.store.snapshots import find_header
from worldservice.risk.tables import risk_forecasts
from worldservice.worlds.acts import own_act
from worldservice.worlds.domain.block import Block, EnteringLive
from worldservice.worlds.store import worlds

CALM, WILD = [0.004, -0.004] * 150, [0.04, 0.04, -0.04, -0.04] * 75
LIMITS = "{limits: {var_99: 0.03, incremental_var_99: 0.005}, freshness: {max_age: 10m}}"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_store(tmp_path) as database:
        yield database


def begin(conn: Connection, text: str = LIMITS) -> None:
    put_policy(conn, make_trading(conn), f"{DOCUMENT}risk: {text}\n")
    add_strategy(conn, "t")


def measured(version: str, stage: RiskStage, weights: dict[str, float], values: dict[str, list[float]]) -> Snapshot:
    last = NOW.date() - timedelta(days=1)
    one = snapshot_of(weights, {name: series(row, last) for name, row in values.items()}, "world:alpha", version)
    return replace(one, as_of=NOW, provenance=replace(one.provenance, stage=stage))


async def put(db: Database, snapshot: Snapshot) -> None:
    act = own_act("PutSnapshot", "alpha", NOW)
    found = arrival(message_of(snapshot), snapshot.scope, "service:brokerage", NOW, SnapshotFiles(""))
    await db.write(lambda conn: store_arrival(conn, act, found, lambda *_: None))


async def blocks(
    db: Database,
    minutes: float = 1.0,
    weight: str = "1",
    share: float | None = None,
    names: str = "t",
    asks: RiskBlocks | None = None,
) -> Sequence[Block]:
    asks = asks or RiskBlocks(SnapshotFiles(""), lambda *_: share)

    def work(conn: Connection) -> Sequence[Block]:
        world = worlds.get_world(conn, "alpha")
        entering = [EnteringLive(name, Decimal(weight)) for name in names]
        return asks(conn, world, entering, NOW + timedelta(minutes=minutes), switching=False)

    return await db.read(work)


def reasons(found: Sequence[Block]) -> list[str]:
    assert all(one.strategy_id == "t" and one.sentence for one in found)
    return [one.reason for one in found]


async def test_without_the_section_nothing_is_asked(db: Database) -> None:
    await db.write(make_trading)
    assert await blocks(db) == ()


async def test_a_candidate_that_fits_is_not_blocked(db: Database) -> None:
    await db.write(begin)
    assert reasons(await blocks(db)) == ["RISK_SNAPSHOT_MISSING"]
    await put(db, measured("v1", RiskStage.LIVE, {"s": 0.5, CASH: 0.5}, {"s": CALM, "t": CALM}))
    assert reasons(await blocks(db)) == []


async def test_who_is_asked_again_judges_by_the_newest_snapshot_and_the_day(db: Database) -> None:
    await db.write(begin)
    asks = RiskBlocks(SnapshotFiles(""))

    async def again(minutes: float = 1.0) -> list[str]:
        return reasons(await blocks(db, minutes, asks=asks))

    await put(db, measured("v1", RiskStage.LIVE, {CASH: 1.0}, {"t": CALM}))
    assert [await again(), await again()] == [[], []]
    await put(db, measured("v2", RiskStage.LIVE, {CASH: 1.0}, {"t": WILD}))
    assert [await again(), await again()] == [["RISK_LIMIT_EXCEEDED"]] * 2
    await put(db, measured("v3", RiskStage.LIVE, {CASH: 1.0}, {}))
    await put(db, measured("p1", RiskStage.PAPER, {"t": 1.0}, {"t": CALM}))
    assert await again() == [], "its returns are those of paper"


async def test_what_is_made_of_a_snapshot_is_made_once(db: Database) -> None:
    await db.write(begin)
    for version in ("v1", "v2"):
        await put(db, measured(version, RiskStage.LIVE, {CASH: 1.0}, {}))
    headers = await db.read(lambda conn: [find_header(conn, parse_scope("world:alpha"), v) for v in ("v1", "v2")])
    one, other = (header for header in headers if header is not None)
    kept, made = Remembered[int](), count()
    assert [kept.of(header, made.__next__) for header in (one, one, other, one)] == [0, 0, 1, 2]
    many = [replace(one, scope=parse_scope(f"world:w{number}")) for number in range(WORLDS_REMEMBERED)]
    assert [kept.of(header, made.__next__) for header in many] == list(range(3, 3 + WORLDS_REMEMBERED))
    assert kept.of(many[0], made.__next__) == 3
    assert kept.of(one, made.__next__) == 3 + WORLDS_REMEMBERED, "the oldest was forgotten"


async def test_returns_of_a_candidate_may_be_those_of_paper(db: Database) -> None:
    await db.write(begin)
    await put(db, measured("v1", RiskStage.LIVE, {"s": 0.5, CASH: 0.5}, {"s": CALM}))
    found = await blocks(db)
    assert reasons(found) == ["RISK_HUB_UNREACHABLE"]
    assert "has returns of t" in found[0].sentence
    await put(db, measured("p1", RiskStage.PAPER, {"t": 1.0}, {"t": CALM}))
    assert reasons(await blocks(db)) == []
    await put(db, measured("p2", RiskStage.PAPER, {"t": 1.0}, {"t": CALM[:20]}))
    assert reasons(await blocks(db)) == ["RISK_SAMPLE_SHORT"]


async def test_an_old_snapshot_blocks_by_age_and_by_ttl(db: Database) -> None:
    await db.write(begin)
    await put(db, measured("v1", RiskStage.LIVE, {CASH: 1.0}, {"t": CALM}))
    assert reasons(await blocks(db, 10)) == []
    assert reasons(await blocks(db, 10.1)) == ["RISK_SNAPSHOT_STALE"]
    assert reasons(await blocks(db, 15)) == ["RISK_SNAPSHOT_EXPIRED", "RISK_SNAPSHOT_STALE"]


async def test_limits_hold_with_the_candidate_in_at_its_share(db: Database) -> None:
    await db.write(begin)
    await put(db, measured("v1", RiskStage.LIVE, {CASH: 1.0}, {"t": WILD}))
    found = await blocks(db)  # 10 % of the capital, as the policy assumes
    assert reasons(found) == ["RISK_LIMIT_EXCEEDED"]
    assert "with 0.1 of capital: incremental_var_99 0.00" in found[0].sentence
    assert "want at most 0.005" in found[0].sentence
    assert reasons(await blocks(db, weight="0.1")) == []
    assert reasons(await blocks(db, share=0.9)) == ["RISK_LIMIT_EXCEEDED"] * 2
    assert reasons(await blocks(db, share=0.0)) == []  # without capital it adds nothing; that it has none others say


async def test_a_figure_that_the_candidate_makes_unknown_is_not_the_one_of_the_book_before(db: Database) -> None:
    await db.write(lambda conn: begin(conn, "{limits: {var_99_historical: 0.03, var_975: 0.005, vol: 0.01}}"))
    await put(db, measured("v1", RiskStage.LIVE, {"s": 0.5, CASH: 0.5}, {"s": CALM, "t": WILD[:100]}))
    found = await blocks(db, share=0.5)  # 100 days: the historical method has no number with t in
    assert reasons(found) == ["RISK_LIMIT_EXCEEDED"] * 3
    assert "var_99_historical is not known" in found[0].sentence
    assert "var_975 0.0" in found[1].sentence
    assert "vol 0.0" in found[2].sentence


async def test_two_that_fit_one_by_one_do_not_pass_together(db: Database) -> None:
    def two(conn: Connection) -> None:
        begin(conn, "{limits: {var_99: 0.03}}")
        add_strategy(conn, "u")

    await db.write(two)
    await put(db, measured("v1", RiskStage.LIVE, {CASH: 1.0}, {"t": WILD, "u": WILD}))
    for name in "tu":
        assert await blocks(db, share=0.25, names=name) == []
    found = await blocks(db, share=0.25, names="tu")
    assert [(one.reason, one.strategy_id) for one in found] == [("RISK_LIMIT_EXCEEDED", "u")]
    assert "with 0.25 of capital: var_99 0.0407" in found[0].sentence


async def test_a_model_with_too_many_exceptions_blocks(db: Database) -> None:
    await db.write(begin)
    await put(db, measured("v1", RiskStage.LIVE, {"s": 0.1, CASH: 0.9}, {"s": WILD, "t": CALM}))

    def forecast_too_low(conn: Connection) -> None:
        today = NOW.date().toordinal()
        row = {
            "scope": "world:alpha",
            "stage": "LIVE",
            "snapshot_version": "v",
            "weights": '{"s": 1.0}',
            "created_us": 0,
        }
        figures = '{"var_99": 0.01, "var_975": 0.009, "es_975": 0.012}'
        days = range(today - 250, today)
        conn.execute(insert(risk_forecasts), [{**row, "day": day, "figures": figures} for day in days])

    await db.write(forecast_too_low)
    found = await blocks(db)
    assert reasons(found) == ["VAR_MODEL_REJECTED"]
    assert "126 exceptions in 250 days" in found[0].sentence


async def test_limits_that_brokerage_lacks_block(db: Database) -> None:
    await db.write(begin)
    await put(db, measured("v1", RiskStage.LIVE, {CASH: 1.0}, {"t": CALM}))
    act = own_act("Test", "account:main", NOW)
    budget = accountpb.AccountBudget(world_id="alpha", gross_max="5")
    await db.write(lambda conn: put_budgets(conn, act, "main", [budget]))
    other = accountpb.AccountBudget(world_id="beta", gross_max="5")
    await db.write(lambda conn: put_budgets(conn, act, "other", [other]))
    found = await blocks(db)
    assert reasons(found) == ["ACCOUNT_LIMITS_PENDING"]
    assert "limits of main" in found[0].sentence
    shares = [accountpb.AccountBudget(world_id="beta", gross_max="6")]
    await db.write(lambda conn: put_budgets(conn, act, "main", shares))
    assert reasons(await blocks(db)) == [], "its budgets name every world that it serves"
    unknown = accountpb.AccountLimits(gross_max="5")
    await db.write(lambda conn: put_limits(conn, act, "third", unknown, ""))
    found = await blocks(db)
    assert [("limits of third" in one.sentence, one.reason) for one in found] == [(True, "ACCOUNT_LIMITS_PENDING")]


async def test_limits_that_are_pending_block_without_a_live_snapshot_too(db: Database) -> None:
    await db.write(begin)
    act = own_act("Test", "account:main", NOW)
    await db.write(lambda conn: put_limits(conn, act, "main", accountpb.AccountLimits(gross_max="5"), ""))
    assert reasons(await blocks(db)) == ["ACCOUNT_LIMITS_PENDING", "RISK_SNAPSHOT_MISSING"]
