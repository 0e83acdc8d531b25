"""The fetch plan: who delivers which span, what is missing and why."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qmtl.calendars import spans
from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.spans import Span
from qmtl.core.modes import ExecutionDomain
from seamless.domain import admission
from seamless.domain.admission import Admission, Origin
from seamless.domain.fetch_plan import Gap, GapKind, Holding, plan_fetch
from tests.seamless.samples import START, STEP

_LIVE = admission.admit(ExecutionDomain.LIVE, None, None)


def _at(first: int, last: int) -> Span:
    return Span(START + first * STEP, START + last * STEP)


def test_the_first_holding_that_has_a_bar_delivers_it() -> None:
    sealed = Holding(Origin.ARTIFACT, (_at(0, 4),), (_at(0, 4),))
    stored = Holding(Origin.STORAGE, (_at(2, 8),), (_at(2, 6),))
    plan = plan_fetch(_at(0, 10), STEP, AlwaysOpen(), _LIVE, [sealed, stored])
    assert [(p.span, p.origin) for p in plan.spans] == [(_at(0, 4), Origin.ARTIFACT), (_at(4, 6), Origin.STORAGE)]
    assert plan.gaps == (Gap(_at(6, 8), GapKind.UNKNOWN), Gap(_at(8, 10), GapKind.NOT_FETCHED))
    assert plan.data_ratio == 0.6


def test_a_backtest_plan_ignores_storage() -> None:
    access = admission.admit(ExecutionDomain.BACKTEST, START, None)
    stored = Holding(Origin.STORAGE, (_at(0, 8),), (_at(0, 8),))
    assert plan_fetch(_at(0, 8), STEP, AlwaysOpen(), access, [stored]).spans == ()


def test_what_a_source_stated_explains_a_gap_and_counts_as_resolved() -> None:
    sealed = Holding(Origin.ARTIFACT, (_at(0, 10),), (_at(0, 5),), (_at(5, 7),), (_at(7, 8),))
    plan = plan_fetch(_at(0, 10), STEP, AlwaysOpen(), _LIVE, [sealed])
    kinds = [(g.span, g.kind) for g in plan.gaps]
    assert kinds == [
        (_at(5, 7), GapKind.VERIFIED_EMPTY),
        (_at(7, 8), GapKind.OUTAGE),
        (_at(8, 10), GapKind.UNKNOWN),
    ]
    assert (plan.data_ratio, plan.resolved_ratio) == (0.5, 0.7)


def test_bars_past_the_horizon_are_neither_delivered_nor_missing() -> None:
    access = Admission(frozenset(Origin), None, START + 3 * STEP)
    sealed = Holding(Origin.ARTIFACT, (_at(0, 10),), (_at(0, 10),))
    plan = plan_fetch(_at(0, 10), STEP, AlwaysOpen(), access, [sealed])
    assert (plan.have, plan.gaps, plan.data_ratio) == ((_at(0, 3),), (), 1.0)


_sets = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=6).map(
    lambda pairs: spans.normalise(_at(a, a + n) for a, n in pairs)
)


@given(_sets, _sets, st.integers(0, 40))
def test_every_expected_bar_is_delivered_once_or_explained_once(
    a: spans.Coverage, b: spans.Coverage, until: int
) -> None:
    access = Admission(frozenset(Origin), None, START + until * STEP)
    holdings = [Holding(Origin.ARTIFACT, (_at(0, 20),), a), Holding(Origin.STORAGE, (_at(10, 30),), b)]
    plan = plan_fetch(_at(0, 36), STEP, AlwaysOpen(), access, holdings)
    pieces = [p.span for p in plan.spans] + [g.span for g in plan.gaps]
    assert sum(s.bars(STEP) for s in pieces) == spans.bars(plan.expected, STEP) == min(until, 36)
    assert spans.normalise(pieces) == plan.expected
