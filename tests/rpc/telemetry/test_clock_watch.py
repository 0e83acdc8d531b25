"""Jumps of the wall clock are told once each, in the log and in metrics."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from qmtl.rpc.steady import SteadyClock
from qmtl.rpc.telemetry.clock_watch import ClockWatch
from tests.support.clocks import SetMachine


def test_a_jump_is_told_once(tmp_path: Path) -> None:
    machine, registry = SetMachine(), CollectorRegistry()
    clock = SteadyClock(machine)
    watch = ClockWatch(clock, registry, tmp_path / "clock")
    with capture_logs() as lines:
        watch.look()
        machine.set_by(-3600)
        clock.now()  # somebody else saw it first
        watch.look()
        watch.look()
        machine.set_by(20)
        watch.look()
    assert [(line["event"], line["by_s"], line["jumps"]) for line in lines] == [
        ("clock_jumped", -3600.0, 1), ("clock_jumped", 20.0, 2),
    ]  # fmt: skip
    assert lines[0]["before"] == "2026-03-02T09:00:00+00:00"
    assert lines[0]["after"] == "2026-03-02T08:00:00+00:00"
    assert registry.get_sample_value("qmtl_clock_jumps_total", {"way": "back"}) == 1
    assert registry.get_sample_value("qmtl_clock_jumps_total", {"way": "forward"}) == 1
    assert registry.get_sample_value("qmtl_clock_ahead_seconds") == 3580
