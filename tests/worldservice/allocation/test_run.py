from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest

from qmtl.core.errors import Conflict, NotReady, PermissionDenied
from tests.worldservice.allocation.books import NOW
from worldservice.allocation.domain.run import (
    MOVES,
    LegProgress,
    Report,
    Run,
    RunState,
    canceled,
    expired,
    moved,
    reported,
    slippage_bps,
    started,
)

UNTIL = NOW + timedelta(minutes=5)


def run(state: RunState = RunState.RECORDED, **more: object) -> Run:
    return Run("main", "r1", state, 1, "hash", "content", "why", "ann", NOW, UNTIL, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("to", list(RunState))
@pytest.mark.parametrize("state", list(RunState))
def test_every_move(state: RunState, to: RunState) -> None:
    if to in MOVES[state]:
        after = moved(run(state), to, NOW, "because")
        assert (after.state, after.revision, after.reasons) == (to, 2, ("because",))
        assert (after.ended_at is not None) is after.is_closed
    else:
        with pytest.raises(NotReady) as refused:
            moved(run(state), to, NOW)
        assert refused.value.reason == "E_REBALANCE_STATE"


def test_a_plan_is_executed_within_its_time() -> None:
    begun = started(run(), "bob", UNTIL - timedelta(microseconds=1), allow_live=True)
    assert (begun.state, begun.executed_by, begun.allow_live) == (RunState.EXECUTING, "bob", True)
    with pytest.raises(NotReady) as refused:
        started(run(), "bob", UNTIL, allow_live=False)
    assert refused.value.reason == "E_PLAN_STALE"
    assert started(begun, "eve", UNTIL, allow_live=False) == begun


def test_two_persons_where_the_account_asks_for_them() -> None:
    with pytest.raises(PermissionDenied) as refused:
        started(run(two_person=True), "ann", NOW, allow_live=False)
    assert refused.value.reason == "E_TWO_PERSON"
    assert started(run(two_person=True), "bob", NOW, allow_live=False).executed_by == "bob"
    assert started(run(), "ann", NOW, allow_live=False).executed_by == "ann"


def test_a_cancel_of_what_was_not_started_ends_it_and_of_what_was_waits() -> None:
    assert canceled(run(), "bob", NOW).state is RunState.CANCELED
    waiting = canceled(run(RunState.EXECUTING), "bob", NOW)
    assert waiting.state is RunState.CANCELING
    assert canceled(waiting, "bob", NOW) == waiting
    with pytest.raises(NotReady):
        canceled(run(RunState.COMPLETED), "bob", NOW)


def test_a_recorded_run_expires() -> None:
    assert expired(run(), UNTIL - timedelta(microseconds=1)) == run()
    assert expired(run(), UNTIL).state is RunState.EXPIRED
    assert expired(run(RunState.EXECUTING), UNTIL) == run(RunState.EXECUTING)


def test_reports_of_an_executor() -> None:
    filled = (LegProgress(Fraction(1)),)
    first = reported(run(RunState.EXECUTING), Report(3, filled), NOW)
    assert (first.revision, first.epoch, first.progress) == (2, 3, filled)
    assert reported(first, Report(3, filled), NOW) == first
    ended = reported(first, Report(4, filled, RunState.COMPLETED), NOW)
    assert (ended.state, ended.revision) == (RunState.COMPLETED, 3)
    assert reported(ended, Report(4, filled, RunState.COMPLETED), NOW) == ended
    with pytest.raises(NotReady):
        reported(ended, Report(4, filled, RunState.PARTIAL), NOW)


def test_an_executor_that_was_overtaken_reports_nothing_more() -> None:
    with pytest.raises(Conflict) as refused:
        reported(run(RunState.EXECUTING, epoch=4), Report(3, ()), NOW)
    assert refused.value.reason == "E_REBALANCE_EPOCH"


def test_slippage_is_against_the_mark_and_above_0_where_it_cost() -> None:
    bought = LegProgress(Fraction(2), Fraction(200_200))
    assert slippage_bps(bought, Fraction(100_000)) == 10
    sold = LegProgress(Fraction(-1), Fraction(-99_900))
    assert slippage_bps(sold, Fraction(100_000)) == 10
    assert slippage_bps(LegProgress(), Fraction(100_000)) is None
    assert slippage_bps(bought, Fraction(0)) is None
