"""A stall of the loop is seen while it is young."""

from __future__ import annotations

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry

from qmtl.rpc.telemetry.loop_watch import WINDOW_S, LoopWatch
from tests.support.waiting import eventually

LONGEST = "qmtl_loop_held_longest_seconds"


async def test_who_holds_the_loop_is_seen() -> None:
    registry = CollectorRegistry()
    task = asyncio.create_task(LoopWatch(registry).run())
    await asyncio.sleep(0)
    time.sleep(0.6)  # noqa: ASYNC251 - what is watched for
    await eventually(lambda: (registry.get_sample_value(LONGEST) or 0.0) >= 0.3)
    task.cancel()


def test_the_longest_is_forgotten_after_two_windows() -> None:
    registry = CollectorRegistry()
    watch, now_s = LoopWatch(registry), time.monotonic()
    for at_s, held_s, longest in (
        (0.0, 0.5, 0.5),
        (1.0, 0.25, 0.5),
        (WINDOW_S + 1, 0.125, 0.5),
        (2 * WINDOW_S + 2, 0, 0.125),
    ):
        watch.held(held_s, now_s + at_s)
        assert registry.get_sample_value(LONGEST) == pytest.approx(longest)
