"""Manifests: sealing, sealing again, and cutting a beginning."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.spans import Span
from qmtl.core.errors import NotReady
from seamless.domain.conformance.policies import STRICT, TOLERANT
from seamless.domain.conformance.raw_columns import RawColumns
from seamless.domain.manifests import Manifest, cut, seal
from tests.seamless.samples import START, STEP, judge, raw


def _at(first: int, last: int) -> Span:
    return Span(START + first * STEP, START + last * STEP)


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
    with pytest.raises(NotReady, match="gap") as caught:
        seal(bars, report, AlwaysOpen(), producer="test")
    assert caught.value.reason == "E_CONFORMANCE"
    empty, report = judge(raw([]))
    with pytest.raises(NotReady, match="no bars"):
        seal(empty, replace(report, policy=TOLERANT.name), AlwaysOpen(), producer="test")
