"""The bar that a terminal shows while a replay goes on, and what replays tell."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest

from qmtl.sdk import Runner, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.reports.progress import ReplayProgress
from tests.sdk.market import walk


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Cross(Strategy):
    held = False

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        long = signals.when(long=ta.sma(price, 3) > ta.sma(price, 9))
        if self.held:
            long = signals.when(long=(ta.sma(price, 3) > ta.sma(price, 9)) * (self.position(price).quantity < 9.0))
        self.trade(signals.position_target(long, long=0.5, hold=False), price)


class Holding(Cross):
    held = True


def test_a_terminal_shows_a_bar_after_a_second_and_wipes_it_out() -> None:
    stream, clock = Terminal(), Clock()
    with ReplayProgress(stream, clock) as told:
        for at in range(20):
            clock.now_s = at * 0.125
            told("bars", at * 250, 5_000)
    lines = stream.getvalue().split("\r")[1:]
    assert lines[0].rstrip() == "[############..................] 2,000 of 5,000 bars"
    assert len(lines) == 12 + 2  # from 1.0 s to 2.375 s, then blanks and the beginning of the line
    assert lines[-2:] == [" " * 72, ""]
    assert {len(line) for line in lines[:-1]} == {72}


class OnlyWrites:
    def write(self, text: str) -> int:
        return len(text)


@pytest.mark.parametrize("gone", ["none", "closed", "writes"])
def test_a_backtest_runs_where_the_error_stream_is_no_file(gone: str) -> None:
    closed = io.StringIO()
    closed.close()
    stream: Any = {"none": None, "closed": closed, "writes": OnlyWrites()}[gone]
    with contextlib.redirect_stderr(stream):
        assert Runner.backtest(Cross(), walk(40)).replay.fills


def test_what_is_quick_and_what_nobody_watches_shows_nothing() -> None:
    for stream, at_s in ((Terminal(), 0.5), (io.StringIO(), 9.0)):
        clock = Clock()
        with ReplayProgress(stream, clock) as told:
            clock.now_s = at_s
            told("bars", 1, 2)
        assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("kind", "options", "whats"),
    [
        (Cross, {}, {"nodes", "bars"}),
        (Cross, {"streaming": True}, {"instants of nodes", "bars"}),
        (Cross, {"every_bar": True}, {"bars of nodes", "bars"}),
        (Holding, {}, {"nodes", "bars"}),
    ],
)
def test_replays_tell_how_far_they_are_and_come_to_the_same(
    kind: type[Cross], options: dict[str, bool], whats: set[str]
) -> None:
    told: list[tuple[str, int, int]] = []
    bars = walk(1_100, 3)
    made = Runner.backtest(kind(), bars, on_progress=lambda *said: told.append(said), **options)  # type: ignore[arg-type]  # the options of the case
    assert {what for what, _, _ in told} == whats
    for what in whats:
        steps = [(done, of) for said, done, of in told if said == what]
        assert steps == sorted(steps)
        assert len({of for _, of in steps}) == 1
        assert steps[-1][1] == (len(steps) if what == "nodes" else len(bars))
    assert made.replay.fills == Runner.backtest(kind(), bars).replay.fills
