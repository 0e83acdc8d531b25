"""What two answers say, bar by bar."""

from __future__ import annotations

import pytest

from qmtl.calendars.spans import Span
from seamless.sources.ccxt.answers import Listing, Values, values_of, values_of_rows

STEP = 60
WHOLE = Span(0, 10 * STEP)
ROW: Values = (1.0, 2.0, 0.5, 1.5, 3.0)


def listing(*bars: int) -> Listing:
    found = Listing(WHOLE, STEP)
    found.add((bar * STEP, ROW) for bar in bars)
    return found


def test_what_a_second_answer_does_not_reach_stays_unknown() -> None:
    found = listing(0, 9)
    assert found.judge(found.holes[0], [(3 * STEP, ROW), (5 * STEP, ROW)])
    assert found.answer().empty == (Span(STEP, 3 * STEP), Span(4 * STEP, 5 * STEP))
    assert found.holes == (Span(6 * STEP, 9 * STEP),)


def test_a_second_answer_that_has_only_the_first_bar_of_a_hole_is_news() -> None:
    found = listing(0, 9)
    assert found.judge(found.holes[0], [(STEP, ROW)])
    assert found.holes == (Span(2 * STEP, 9 * STEP),)
    assert found.answer().empty == ()


def test_two_answers_with_a_later_bar_outside_of_the_span_say_that_the_rest_of_it_is_empty() -> None:
    found = listing(0, 1)
    assert found.judge(found.holes[0], [(12 * STEP, ROW)])
    assert found.answer().empty == (), "one answer with a later bar says nothing"
    assert found.judge(found.holes[0], [(12 * STEP, ROW)])
    assert found.answer().empty == (Span(2 * STEP, 10 * STEP),)
    assert found.holes == ()


def test_two_answers_say_what_is_empty_as_far_as_both_go() -> None:
    found = listing(0, 1)
    found.judge(found.holes[0], [(4 * STEP, ROW)])
    assert found.answer().empty == ()
    found.judge(found.holes[0], [(4 * STEP, ROW), (12 * STEP, ROW)])
    assert found.answer().empty == (Span(2 * STEP, 4 * STEP),)
    assert found.holes == (Span(5 * STEP, 10 * STEP),)


@pytest.mark.parametrize("second", [[], [(0, ROW)]])
def test_an_answer_without_a_later_bar_says_nothing(second: list[tuple[int, Values | None]]) -> None:
    found = listing(0, 1)
    assert not found.judge(found.holes[0], second)
    assert found.holes == (Span(2 * STEP, 10 * STEP),)


def test_a_bar_without_all_of_its_fields_is_neither_there_nor_absent() -> None:
    found = listing(0, 2)
    assert found.add([(STEP, None)]) == 1
    assert found.add([(STEP, None)]) == 0
    assert (found.broken, found.answer().unresolved(STEP)[0]) == ((STEP,), Span(STEP, 2 * STEP))
    assert found.add([(STEP, ROW)]) == 1
    assert found.broken == ()


@pytest.mark.parametrize(
    "texts",
    [
        ("1", "2", "0.5", "1.5", None),
        ("1", "2", "0.5", "1.5", 3.0),
        ("1", "2", "0.5", "1.5", "nan"),
        ("1", "2", "0.5", "1.5", "-1"),
        ("1", "1.4", "0.5", "1.5", "3"),
        ("1", "2", "1.1", "1.5", "3"),
        ("1", "2", "0.5", "x", "3"),
    ],
)
def test_a_row_that_no_bar_can_be_is_none(texts: tuple[object, ...]) -> None:
    assert values_of(texts) is None
    assert values_of(("1", "2", "0.5", "1.5", "3")) == ROW


def test_each_row_of_a_page_is_judged_by_itself() -> None:
    good, low, broken = ("1", "2", "0.5", "1.5", "3"), ("1", "2", "1.1", "1.5", "3"), ("1", None, "0.5", "1.5", "3")
    assert values_of_rows([broken, good, low, good, ("inf", *good[1:]), broken, good]) == [
        *(None, ROW, None, ROW),
        *(None, None, ROW),
    ]
    assert values_of_rows([broken]) == [None]
    assert values_of_rows([]) == []
