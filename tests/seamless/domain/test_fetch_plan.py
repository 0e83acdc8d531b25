"""Gate, plan and manifests: what a domain may read, who delivers it, what is missing and why."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.calendars import spans
from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.spans import Span
from qmtl.core.errors import InvalidRequest, NotReady
from qmtl.core.modes import ExecutionDomain
from seamless.domain import admission
from seamless.domain.admission import Admission, Lateness, Origin
from seamless.domain.conformance.policies import STRICT, TOLERANT
from seamless.domain.conformance.raw_columns import RawColumns
from seamless.domain.fetch_plan import Gap, GapKind, Holding, plan_fetch
from seamless.domain.manifests import Manifest, cut, seal
from tests.seamless.samples import START, STEP, judge, raw

_LIVE = admission.admit(ExecutionDomain.LIVE, None, None)


def _at(first: int, last: int) -> Span:
    return Span(START + first * STEP, START + last * STEP)


def test_a_backtest_reads_artifacts_only_and_names_its_as_of() -> None:
    assert admission.admit(ExecutionDomain.BACKTEST, 5, None).origins == {Origin.ARTIFACT}
    with pytest.raises(InvalidRequest) as caught:
        admission.admit(ExecutionDomain.BACKTEST, None, 7)
    assert caught.value.reason == "E_AS_OF_REQUIRED"


def test_a_dry_run_sees_no_further_than_its_session() -> None:
    assert admission.admit(ExecutionDomain.DRYRUN, START, START + STEP).horizon_ns == START + STEP
    assert admission.admit(ExecutionDomain.DRYRUN, START, None).horizon_ns == START
    with pytest.raises(InvalidRequest) as caught:
        admission.admit(ExecutionDomain.DRYRUN, None, None)
    assert caught.value.reason == "E_AS_OF_REQUIRED"


def test_only_live_domains_breach_on_lag() -> None:
    late = (START, START + 46, 45)
    assert admission.lateness(ExecutionDomain.LIVE, *late) is Lateness.LAG_ABOVE_LIMIT
    assert admission.lateness(ExecutionDomain.SHADOW, *late) is Lateness.LAG_ABOVE_LIMIT
    assert admission.lateness(ExecutionDomain.BACKTEST, *late) is Lateness.IN_TIME
    assert admission.lateness(ExecutionDomain.LIVE, START, START + 45, 45) is Lateness.IN_TIME


def test_the_first_holding_that_has_a_bar_delivers_it() -> None:
    sealed = Holding(Origin.ARTIFACT, _at(0, 4), (_at(0, 4),))
    stored = Holding(Origin.STORAGE, _at(2, 8), (_at(2, 6),))
    plan = plan_fetch(_at(0, 10), STEP, AlwaysOpen(), _LIVE, [sealed, stored])
    assert [(p.span, p.origin) for p in plan.spans] == [(_at(0, 4), Origin.ARTIFACT), (_at(4, 6), Origin.STORAGE)]
    assert plan.gaps == (Gap(_at(6, 8), GapKind.UNKNOWN), Gap(_at(8, 10), GapKind.NOT_FETCHED))
    assert plan.data_ratio == 0.6


def test_a_backtest_plan_ignores_storage() -> None:
    access = admission.admit(ExecutionDomain.BACKTEST, START, None)
    stored = Holding(Origin.STORAGE, _at(0, 8), (_at(0, 8),))
    assert plan_fetch(_at(0, 8), STEP, AlwaysOpen(), access, [stored]).spans == ()


def test_what_a_source_stated_explains_a_gap_and_counts_as_resolved() -> None:
    sealed = Holding(Origin.ARTIFACT, _at(0, 10), (_at(0, 5),), (_at(5, 7),), (_at(7, 8),))
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
    sealed = Holding(Origin.ARTIFACT, _at(0, 10), (_at(0, 10),))
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
    holdings = [Holding(Origin.ARTIFACT, _at(0, 20), a), Holding(Origin.STORAGE, _at(10, 30), b)]
    plan = plan_fetch(_at(0, 36), STEP, AlwaysOpen(), access, holdings)
    pieces = [p.span for p in plan.spans] + [g.span for g in plan.gaps]
    assert sum(s.bars(STEP) for s in pieces) == spans.bars(plan.expected, STEP) == min(until, 36)
    assert spans.normalise(pieces) == plan.expected


def _seal(rows: RawColumns, newest: Manifest | None = None) -> Manifest:
    bars, report = judge(rows)
    return seal(bars, report, AlwaysOpen(), producer="test", newest=newest)


def test_sealing_the_same_data_again_answers_the_same_segment() -> None:
    first = _seal(raw([0, 1, 3]))
    assert first.as_of_ns == first.watermark_ns == START + 4 * STEP
    assert (first.rows, first.coverage) == (3, (_at(0, 2), _at(3, 4)))
    assert _seal(raw([0, 1, 3]), first) is first


def test_a_reprocessed_segment_is_strictly_later() -> None:
    first = _seal(raw([0, 1, 2]))
    second = _seal(raw([0, 1, 2], volume={1: 4.0}), first)
    assert second.fingerprint != first.fingerprint
    assert second.as_of_ns > first.as_of_ns


def test_a_cut_is_what_sealing_its_rows_alone_would_give() -> None:
    bars, report = judge(raw([0, 1, 2, 4, 5]))
    whole = seal(bars, report, AlwaysOpen(), producer="test")
    part = cut(whole, bars.take(slice(0, 3)), AlwaysOpen())
    assert part.fingerprint == _seal(raw([0, 1, 2])).fingerprint
    assert (part.cut_of, part.as_of_ns, part.rows) == (whole.fingerprint, START + 3 * STEP, 3)


def test_blocked_or_empty_data_is_not_sealed() -> None:
    bars, report = judge(raw([0, 1, 5]), STRICT)
    with pytest.raises(NotReady, match="gap"):
        seal(bars, report, AlwaysOpen(), producer="test")
    empty, report = judge(raw([]))
    with pytest.raises(NotReady, match="no bars"):
        seal(empty, replace(report, policy=TOLERANT.name), AlwaysOpen(), producer="test")
