"""The replay session: paced, in lockstep with its followers, its watermark only grows."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from qmtl.calendars.spans import Span
from seamless.domain.sessions.playback import Follower, Member, Replay, next_due_ns, release
from tests.seamless.samples import START, STEP

_S = 1_000_000_000
_PATIENCE = 30 * _S


def _open(bars: int = 4, bars_per_s: float = 0.0) -> Replay:
    span = Span(START, START + bars * STEP)
    return Replay(
        "s1", "w1", "p", (Member("p", "d", STEP, "sha256:x", "sha256:h"),), span, STEP, bars_per_s, 0, 0, span.start_ns
    )


def _at(bars: int, heard_at_ns: int = 0) -> Follower:
    return Follower(START + bars * STEP, heard_at_ns)


def test_nothing_is_released_before_anyone_follows() -> None:
    assert release(_open(), [], 10**18, _PATIENCE).watermark_ns == START


def test_without_pace_the_next_bar_waits_for_the_slowest_follower() -> None:
    first = release(_open(), [_at(0), _at(0)], 1, _PATIENCE)
    assert first.watermark_ns == START + STEP
    assert release(first, [_at(1), _at(0)], 2, _PATIENCE) is first
    assert release(first, [_at(1), _at(1)], 3, _PATIENCE).watermark_ns == START + 2 * STEP


def test_a_pace_holds_bars_back_and_does_not_rush_after_an_outage() -> None:
    session = _open(bars_per_s=2.0)
    followers = [_at(0)]
    assert release(session, followers, _S // 2 - 1, _PATIENCE) is session
    first = release(session, followers, _S // 2, _PATIENCE)
    assert (first.watermark_ns, next_due_ns(first)) == (START + STEP, _S)
    later = 500 * _S
    second = release(first, [_at(1, later)], later, _PATIENCE)
    assert second.watermark_ns == START + 2 * STEP
    assert release(second, [_at(2, later)], later + 1, _PATIENCE) is second


def test_a_follower_that_was_lost_is_not_waited_for() -> None:
    session = release(_open(), [_at(0), _at(0)], 1, _PATIENCE)
    lost = _PATIENCE + 1
    assert release(session, [_at(1, lost), _at(0, 0)], lost, _PATIENCE).watermark_ns == START + 2 * STEP


def test_it_ends_at_the_end() -> None:
    session = _open(bars=1)
    done = release(session, [_at(0)], 1, _PATIENCE)
    assert done.finished
    assert release(done, [_at(1)], 2, _PATIENCE) is done


@given(st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40), st.integers(0, 10**11)), max_size=40))
def test_the_watermark_only_grows_and_never_leads_a_follower_by_more_than_a_bar(
    steps: list[tuple[int, int, int]],
) -> None:
    session = _open(bars=30)
    for a, b, now in steps:
        followers = [_at(a, now), _at(b, now)]
        after = release(session, followers, now, _PATIENCE)
        assert session.watermark_ns <= after.watermark_ns <= session.span.end_ns
        if after is not session:
            assert after.watermark_ns <= min(f.taken_ns for f in followers) + STEP
            assert after == replace(session, watermark_ns=after.watermark_ns, advanced_at_ns=now)
        session = after
