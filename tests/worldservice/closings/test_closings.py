"""Closings: who was demoted is closed once each time, until flat or too late; who only drains is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from qmtl.core.modes import EffectiveMode
from tests.worldservice.samples import NOW, binding
from worldservice.activation.domain.activation import Entry
from worldservice.closings.domain import (
    Answer,
    Closing,
    ClosingState,
    Key,
    answered,
    changes,
    demoted,
    sentence,
)
from worldservice.policy.domain.governance import OnDemote, PositionPolicy
from worldservice.worlds.domain.binding import Side, Stage

PAPER, LIVE, LOW = EffectiveMode.PAPER, EffectiveMode.LIVE, EffectiveMode.COMPUTE_ONLY
KEY: Key = ("s", "LONG")
FLAT = PositionPolicy(OnDemote.FLAT, timedelta(minutes=30), Decimal(15))
ENTRY = Entry("s", Side.LONG, True, 1.0, False, True, None, None, NOW, "", PAPER)
LATER = NOW + timedelta(seconds=5)


def due(entry: Entry = ENTRY, ceiling: EffectiveMode = LOW, *left_out: Key) -> Mapping[Key, Entry]:
    return demoted([entry], {"s": binding("s", Stage.LIVE)}, lambda *_: ceiling, frozenset(left_out))


def begun(now_after: timedelta = timedelta(seconds=5)) -> Closing:
    (closing,) = changes("w", FLAT, due(), {}, NOW + now_after)
    return closing


def test_who_trades_above_what_is_allowed_is_closed() -> None:
    assert due() == {KEY: ENTRY}
    live = replace(ENTRY, effective_mode=LIVE)
    assert due(live, PAPER) == {KEY: live}
    assert due(live, LIVE) == {}
    assert demoted([ENTRY], {"s": binding("s", Stage.BACKTEST)}, lambda *_: PAPER, ()) == {KEY: ENTRY}


def test_who_drains_by_a_person_or_a_rule_of_risk_is_not() -> None:
    assert due(ENTRY, PAPER) == {}


def test_who_was_left_out_by_an_apply_is_closed_though_it_is_selected() -> None:
    assert due(ENTRY, PAPER, KEY) == {KEY: ENTRY}
    assert due(ENTRY, PAPER, ("s", "SHORT")) == {}


@pytest.mark.parametrize("fields", [{"drain": False}, {"freeze": True}, {"active": False}, {"effective_mode": LOW}])
def test_what_does_not_drain_is_not_closed(fields: dict[str, bool]) -> None:
    assert due(replace(ENTRY, **fields)) == {}  # type: ignore[arg-type]  # fields by name


def test_who_is_bound_no_more_is_a_persons_to_close() -> None:
    assert demoted([ENTRY], {}, lambda *_: LOW, ()) == {}


def test_a_closing_begins_once_with_the_policys_terms() -> None:
    closing = begun()
    assert (closing.until, closing.slippage_bps, closing.mode) == (LATER + timedelta(minutes=30), Decimal(15), PAPER)
    assert closing.closing_id.startswith("LONG-")
    assert changes("w", FLAT, due(), {KEY: closing}, LATER) == []
    for word in (OnDemote.HOLD, OnDemote.DRAIN):
        assert changes("w", replace(FLAT, on_demote=word), due(), {}, LATER) == []


@pytest.mark.parametrize("state", [ClosingState.FLAT, ClosingState.NOT_CLOSED])
def test_one_that_has_ended_is_begun_again_by_another_demotion_only(state: ClosingState) -> None:
    over = replace(begun(), state=state)
    assert changes("w", FLAT, due(), {KEY: over}, LATER) == []
    again = replace(ENTRY, changed_at=LATER + timedelta(seconds=1))
    (second,) = changes("w", FLAT, due(again), {KEY: over}, LATER + timedelta(seconds=2))
    assert second.state is ClosingState.CLOSING
    assert second.closing_id != over.closing_id


def test_who_may_go_on_again_is_closed_no_further() -> None:
    (stopped,) = changes("w", FLAT, {}, {KEY: begun()}, LATER)
    assert (stopped.state, stopped.ended_at) == (ClosingState.STOPPED, LATER)
    assert stopped.detail.startswith("it may go on")
    (stopped,) = changes("w", replace(FLAT, on_demote=OnDemote.DRAIN), due(), {KEY: begun()}, LATER)
    assert (stopped.state, stopped.detail) == (ClosingState.STOPPED, "the policy closes nothing any more")
    assert changes("w", FLAT, {}, {KEY: stopped}, LATER) == []


def test_who_might_go_on_and_is_lowered_again_while_it_still_drains_is_closed_again() -> None:
    first = begun()
    (stopped,) = changes("w", FLAT, {}, {KEY: first}, LATER)
    (again,) = changes("w", FLAT, due(), {KEY: stopped}, LATER + timedelta(seconds=1))
    assert (again.state, again.until) == (ClosingState.CLOSING, LATER + timedelta(seconds=1, minutes=30))
    assert again.closing_id != first.closing_id


def test_it_ends_flat_or_when_its_time_is_over_and_says_what_is_left() -> None:
    closing = begun()
    assert answered(closing, Answer(()), LATER).state is ClosingState.FLAT
    some = Answer(("acc holds 10 AAPL after 1 orders: WORKING: d is ACCEPTED",))
    assert answered(closing, some, closing.until - timedelta(microseconds=1)) == replace(closing, detail=some.text)
    over = answered(closing, some, closing.until)
    assert (over.state, over.detail, over.ended_at) == (ClosingState.NOT_CLOSED, some.text, closing.until)
    assert answered(over, Answer(()), closing.until) is over
    away = answered(closing, Answer(None, "brokerage is away"), LATER)
    assert (away.state, away.detail) == (ClosingState.CLOSING, "brokerage is away")
    assert answered(away, Answer(None, "brokerage is away"), closing.until).state is ClosingState.NOT_CLOSED
    assert answered(away, Answer(()), closing.until).state is ClosingState.FLAT  # flat is flat, however late


def test_each_time_that_a_fill_comes_late_it_has_the_policys_time_and_no_more() -> None:
    some, at = Answer(("acc holds 10 AAPL after 1 orders",)), LATER
    closing = begun()
    for _ in range(3):
        closing = answered(closing, Answer(()), at)
        assert closing.state is ClosingState.FLAT
        at += timedelta(days=1)
        closing = answered(closing, some, at)
        assert (closing.state, closing.until) == (ClosingState.CLOSING, at + FLAT.flat_within)
    assert answered(closing, some, closing.until).state is ClosingState.NOT_CLOSED


def test_what_is_left_is_told_to_a_length_and_a_cut_is_seen() -> None:
    many = Answer(tuple(f"acc holds 10 S{number}" for number in range(100)))
    assert (len(many.text), many.text[-6:]) == (500, "acc...")
    assert Answer(("x" * 500,)).text == "x" * 500


def test_each_end_has_its_sentence() -> None:
    closing = begun()
    assert sentence(closing) == (
        f"closes what s holds long in PAPER, until {closing.until.isoformat()}, at most 15 bp worse than marks"
    )
    assert sentence(answered(closing, Answer(()), LATER)) == "closed what s holds long in PAPER"
    over = answered(closing, Answer(("10 AAPL left",)), closing.until)
    assert sentence(over).endswith(f"by {closing.until.isoformat()}: 10 AAPL left")
    (stopped,) = changes("w", FLAT, {}, {KEY: closing}, LATER)
    assert sentence(stopped).startswith("stopped closing what s holds long in PAPER: ")
