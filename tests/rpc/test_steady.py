"""The steady clock: the machine's wall clock may be set, its time goes on evenly and meets it again."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from qmtl.core.clock import VirtualClock
from qmtl.rpc.steady import (
    FOLLOWED_S,
    JUMP_S,
    MARK_AGE_MAX_S,
    SLEW,
    SteadyClock,
    clock_detail,
    read_mark,
    write_mark,
)
from tests.support.clocks import START, SetMachine


def test_agrees_with_a_wall_clock_that_nobody_sets() -> None:
    machine = SetMachine()
    clock = SteadyClock(machine)
    machine.advance(100_000)
    assert clock.now() == machine.now() == clock.wall()
    assert (clock.jumps, clock.last_jump, clock_detail(clock)) == (0, None, "")
    assert clock_detail(VirtualClock(START)) == ""


@pytest.mark.parametrize("by_s", [-3600.0, -20.0, -0.6, 0.6, 20.0, 3600.0, 20 * 3600.0])
def test_goes_on_evenly_when_the_wall_clock_is_set(by_s: float) -> None:
    machine = SetMachine()
    clock = SteadyClock(machine)
    machine.advance(10)
    before = clock.now()
    machine.set_by(by_s)
    assert clock.now() == before
    assert clock.ahead_s == pytest.approx(-by_s)
    machine.advance(1)
    passed_s = (clock.now() - before).total_seconds()
    assert passed_s == pytest.approx(1 + SLEW * (1 if by_s > 0 else -1))


@pytest.mark.parametrize("by_s", [-3600.0, -20.0, 20.0, 3600.0])
def test_meets_the_wall_clock_again_and_never_goes_back(by_s: float) -> None:
    machine = SetMachine()
    clock = SteadyClock(machine)
    machine.set_by(by_s)
    last = clock.now()
    for _ in range(1000):
        machine.advance(abs(by_s) / SLEW / 1000)
        assert clock.now() >= last
        last = clock.now()
    machine.advance(0.001)
    assert clock.now() == machine.now()
    assert clock.ahead_s == 0
    assert clock_detail(clock) == ""


def test_tells_the_jump() -> None:
    machine = SetMachine()
    clock = SteadyClock(machine)
    machine.advance(10)
    machine.set_by(-20)
    jump = clock.last_jump
    assert jump is not None
    assert (jump.before, jump.after, jump.by_s, jump.followed) == (
        START + timedelta(seconds=10), START - timedelta(seconds=10), -20.0, False,
    )  # fmt: skip
    assert clock.jumps == 1
    assert clock_detail(clock) == (
        "wall clock set back by 20.0 s at 2026-03-02T09:00:10Z; 20.0 s are left, closed within 400 s"
    )


def test_two_jumps_that_cancel_leave_nothing_to_close() -> None:
    machine = SetMachine()
    clock = SteadyClock(machine)
    machine.set_by(3600)
    assert clock.ahead_s == -3600
    machine.set_by(-3600)
    assert clock.ahead_s == 0
    assert clock.jumps == 2
    assert clock.now() == START


def test_small_steps_are_followed_and_not_told() -> None:
    machine = SetMachine()
    clock = SteadyClock(machine)
    machine.set_by(JUMP_S)
    assert clock.now() == machine.now()
    assert clock.jumps == 0


def test_a_machine_that_had_no_time_is_followed_at_once() -> None:
    machine = SetMachine()
    clock = SteadyClock(machine)
    machine.set_by(FOLLOWED_S + 1)
    assert clock.now() == machine.now()
    assert clock.last_jump is not None
    assert clock.last_jump.followed


class StoppedBetween(SetMachine):
    """A process that is stopped for ten seconds between reading one clock and the other, now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.readings = 0

    def monotonic(self) -> float:
        self.readings += 1
        if self.readings % 7 == 0:
            self.advance(10)
        return super().monotonic()


def test_a_process_that_is_stopped_between_two_readings_sees_no_jump() -> None:
    clock = SteadyClock(StoppedBetween())
    for _ in range(50):
        clock.now()
    assert clock.jumps == 0


async def test_sleeping_until_an_instant_follows_the_steady_time() -> None:
    clock = SteadyClock(SetMachine())
    await clock.sleep_until(START - timedelta(seconds=1))
    await clock.sleep(0)


@pytest.mark.parametrize("by_s", [-3600.0, -0.6, 0.6, 600.0])
def test_a_clock_that_is_begun_again_goes_on_from_its_mark(tmp_path: Path, by_s: float) -> None:
    machine = SetMachine()
    clock = SteadyClock(machine)
    write_mark(tmp_path / "run" / "clock-x", clock)
    machine.advance(5)
    machine.set_by(by_s)
    again = SteadyClock(machine, read_mark(tmp_path / "run" / "clock-x"))
    assert again.now() == clock.now()
    assert again.jumps == 1
    assert again.ahead_s == pytest.approx(-by_s)
    assert clock_detail(again)
    machine.advance(7)
    assert again.now() == clock.now()


def test_a_mark_of_a_clock_that_was_not_set_or_is_old_changes_nothing(tmp_path: Path) -> None:
    machine, path = SetMachine(), tmp_path / "clock"
    write_mark(path, SteadyClock(machine))
    machine.advance(60)
    machine.set_by(JUMP_S / 2)
    assert SteadyClock(machine, read_mark(path)).now() == machine.now()
    machine.set_by(2 * FOLLOWED_S)
    assert SteadyClock(machine, read_mark(path)).now() == machine.now()
    machine.advance(MARK_AGE_MAX_S)
    machine.set_by(-2 * FOLLOWED_S - 100)
    assert SteadyClock(machine, read_mark(path)).now() == machine.now()


def test_a_mark_of_another_boot_or_none_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    write_mark(path, SteadyClock(SetMachine()))
    told = json.loads(path.read_text())
    for broken in ("", "[]", "{", json.dumps({**told, "boot": "other"}), json.dumps({**told, "at": "2026-01-01"})):
        path.write_text(broken)
        assert read_mark(path) is None, broken
    assert read_mark(tmp_path / "none") is None
