"""What is kept beside the runs of a stage is what all runs at their latest revision come to; how approvals end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from qmtl.core.paging import Page
from tests.worldservice.samples import NOW, evidence
from tests.worldservice.stored import make_trading, open_store
from worldservice.campaigns.domain.phases import Campaign, Phase
from worldservice.campaigns.promoting import Trading, settle_phase
from worldservice.evaluation import store
from worldservice.evaluation.domain.runs import EvaluationRun, Evidence
from worldservice.evaluation.domain.stage_records import Covered, StageRecord, covered_time, with_run
from worldservice.evaluation.stage_records import records_of, records_of_strategy
from worldservice.worlds.acts import own_act
from worldservice.worlds.domain.binding import Approval, Stage
from worldservice.worlds.store import approvals, audit

DAY = timedelta(days=1)


def shown(run_id: str, version: str, start: int, end: int, *, computed: bool = True) -> Evidence:
    made = evidence(run_id=run_id)
    return replace(
        made, strategy_version=version, data_start=NOW + start * DAY, data_end=NOW + end * DAY,
        account=made.account if computed else "",
    )  # fmt: skip


runs = st.tuples(
    st.sampled_from(["a", "b", "c"]), st.sampled_from(["v1", "v2"]), st.integers(0, 9), st.integers(0, 9), st.booleans()
).map(lambda row: shown(*row[:4], computed=row[4]))


@settings(max_examples=40, deadline=None)
@given(st.lists(runs, max_size=12))
def test_records_are_what_the_latest_revisions_come_to(appended: list[Evidence]) -> None:
    kept = dict[str, StageRecord]()
    latest = dict[str, tuple[int, Evidence]]()
    for sequence, one in enumerate(appended, start=1):
        for changed in with_run([*kept.values()], one, sequence):
            kept[changed.version] = changed
        latest[one.run_id] = sequence, one
    assert {*kept} == {one.strategy_version for one in appended}
    for version, record in kept.items():
        mine = [(at, one) for at, one in latest.values() if one.replayed and one.strategy_version == version]
        assert record.newest == max((at for at, _ in mine), default=0)
        assert record.observed() == covered_time(
            [Covered(one.data_start, one.data_end, one.coverage) for _, one in mine if one.data_start and one.data_end]
        )
        ends = [one.data_end for one in appended if one.strategy_version == version and one.data_end is not None]
        assert record.data_end == max(ends)


def test_a_run_that_says_no_times_is_the_newest_and_covers_nothing() -> None:
    nothing = replace(shown("b", "v1", 0, 0), data_start=None, data_end=None)
    first = with_run([], shown("a", "v1", 0, 9), 4)
    (record,) = with_run(first, nothing, 7)
    assert (record.newest, record.data_end) == (7, NOW + 9 * DAY)
    assert record.observed() / DAY == pytest.approx(9 * 0.97)
    assert len(with_run([record], shown("c", "v2", 0, 1), 8)) == 1  # v1 is as it was


async def test_rows_are_kept_with_every_run_that_is_appended(tmp_path: Path) -> None:
    def work(conn: Connection) -> None:
        for name, one in (
            ("s", shown("a", "v1", 0, 5)), ("s", shown("b", "v1", 3, 9)), ("s", shown("c", "v2", 0, 3)),
            ("s", replace(shown("p", "v1", 4, 6), stage=Stage.PAPER)), ("t", shown("a", "v1", 0, 1)),
        ):  # fmt: skip
            store.append_run(conn, EvaluationRun("alpha", name, 1, one, None, Stage.PAPER, "ann", NOW))

    async with open_store(tmp_path) as db:
        await db.write(work)
        mine = await db.read(lambda conn: records_of_strategy(conn, "alpha", "s"))
        of_world = await db.read(lambda conn: records_of(conn, "alpha"))
        assert {name: len(found) for name, found in of_world.items()} == {"s": 3, "t": 1}
        assert {*of_world["s"]} == {*mine}
        assert {(one.stage, one.version): (one.newest, round(one.observed / DAY, 6)) for one in mine} == {
            (Stage.BACKTEST, "v1"): (2, 8.73),
            (Stage.BACKTEST, "v2"): (3, 2.91),
            (Stage.PAPER, "v1"): (4, 1.94),
        }
        found = await db.read(lambda conn: store.evidence_at(conn, [2, 4]))
        assert {at: (revision, one.run_id) for at, (revision, one) in found.items()} == {2: (1, "b"), 4: (1, "p")}


async def test_who_falls_from_live_needs_another_approval_whoever_gave_the_one_before(tmp_path: Path) -> None:
    act = own_act("SettleCampaign", "alpha", NOW)

    def work(conn: Connection) -> tuple[Approval | None, list[str]]:
        make_trading(conn)
        approvals.save_approval(conn, Approval("alpha", "s", "ann", "fine", NOW - DAY, NOW + 20 * DAY))
        live = Campaign("alpha", "s", Phase.LIVE_FULL, 4, live_since=NOW - DAY)
        after = settle_phase(conn, act, live, Trading(Stage.PAPER, (), ()))
        assert (after.phase, after.demoted_at) == (Phase.DEMOTED, NOW)
        log = [row.detail for row in audit.list_audit(conn, "alpha", Page(100)) if row.event == "SettleCampaign"]
        return approvals.find_approval(conn, "alpha", "s"), log

    async with open_store(tmp_path) as db:
        found, log = await db.write(work)
    assert found is not None
    assert (found.revoked_at, found.holds(NOW, 1)) == (NOW, False)
    assert "approval of s ends: the strategy fell from live" in log


def test_an_approval_holds_until_its_end_and_under_its_own_policy_only() -> None:
    by_policy = Approval("alpha", "s", "policy v2, ann", "auto_apply", NOW, NOW + DAY, policy_version=2)
    assert [by_policy.holds(NOW, version) for version in (1, 2, 3)] == [False, True, False]
    assert [by_policy.holds(NOW + DAY - after, 2) for after in (DAY / 2, 0 * DAY)] == [True, False]
    assert replace(by_policy, policy_version=0).holds(NOW, 7)
    assert not replace(by_policy, revoked_at=NOW).holds(NOW, 2)
