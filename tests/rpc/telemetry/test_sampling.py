"""Errors of one kind are a line and a count; different ones are all there."""

from __future__ import annotations

import logging
import time

import pytest

from qmtl.rpc.telemetry.sampling import KINDS_MAX, Sampling


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def events(self) -> list[object]:
        return [record.msg for record in self.records]


class Stage:
    """A sampling handler on a clock that the test moves."""

    def __init__(self, window_s: float = 10.0) -> None:
        self.now = 100.0
        self.kept = Kept()
        self.sampling = Sampling(self.kept, window_s, lambda: self.now)

    def log(self, **event: object) -> None:
        self.at(logging.ERROR, event)

    def at(self, level: int, event: dict[str, object]) -> None:
        self.sampling.handle(logging.makeLogRecord({"name": "q", "levelno": level, "msg": event}))


def test_the_first_is_told_at_once_and_the_others_with_their_number() -> None:
    stage = Stage()
    for _ in range(1_000):
        stage.log(event="broken", method="/a/B")
    assert stage.kept.events() == [{"event": "broken", "method": "/a/B"}]
    stage.now += 10.0
    stage.log(event="other")
    assert stage.kept.events()[1:] == [{"event": "broken", "method": "/a/B", "repeated": 999}, {"event": "other"}]


@pytest.mark.parametrize(
    "other",
    [
        {"event": "else"},
        {"event": "broken", "method": "/a/C"},
        {"event": "broken", "task": "relay"},
        {"event": "broken", "exception": "Traceback\n  x\nKeyError: 'a'"},
    ],
)
def test_another_kind_is_told_at_once(other: dict[str, object]) -> None:
    stage = Stage()
    stage.log(event="broken", exception="Traceback\n  x\nValueError: 1")
    stage.log(**other)
    assert len(stage.kept.records) == 2


def test_what_only_differs_in_detail_is_the_same_kind() -> None:
    stage = Stage()
    stage.log(event="broken", exception="Traceback\n  x\nValueError: 1")
    stage.log(event="broken", exception="Traceback\n  x\nValueError: 2")
    assert len(stage.kept.records) == 1


def test_lines_below_error_pass() -> None:
    stage = Stage()
    for _ in range(3):
        stage.at(logging.WARNING, {"event": "slow"})
    assert len(stage.kept.records) == 3


def test_lines_of_libraries_are_of_the_kind_of_their_template() -> None:
    stage = Stage()
    for number in (1, 2, 3):
        stage.sampling.handle(
            logging.makeLogRecord({"name": "lib", "levelno": logging.ERROR, "msg": "lost %d", "args": (number,)})
        )
    stage.sampling.close()
    assert [record.getMessage() for record in stage.kept.records] == ["lost 1", "lost 3 (repeated 2 times)"]


def test_kinds_are_bounded() -> None:
    stage = Stage()
    for number in range(3 * KINDS_MAX):
        stage.log(event=f"e{number}")
    assert len(stage.kept.records) == KINDS_MAX + 1


def test_the_count_comes_by_itself() -> None:
    kept = Kept()
    sampling = Sampling(kept, window_s=0.05)
    for _ in range(5):
        sampling.handle(logging.makeLogRecord({"name": "q", "levelno": logging.ERROR, "msg": {"event": "broken"}}))
    deadline = time.monotonic() + 5
    while len(kept.records) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert kept.events()[1:] == [{"event": "broken", "repeated": 4}]
    sampling.close()


def test_an_end_tells_what_was_counted() -> None:
    stage = Stage()
    stage.log(event="broken")
    stage.log(event="broken")
    stage.sampling.close()
    assert stage.kept.events()[1:] == [{"event": "broken", "repeated": 1}]
