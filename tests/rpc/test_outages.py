"""What is away is seen by a check that does the work, told by health and metrics, and over when it works again."""

from __future__ import annotations

import asyncio

import pytest
from grpc_health.v1 import health_pb2 as healthpb
from prometheus_client import generate_latest

from qmtl.core.clock import SystemClock
from qmtl.core.errors import NotFound, Unavailable
from qmtl.rpc.outages import Outages
from qmtl.rpc.server.health import NOT_SERVING, OUTAGES, SERVING, Health
from qmtl.rpc.telemetry.metrics import Metrics
from tests.support.logbook import lines, logged
from tests.support.waiting import eventually


class Stage:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.outages = Outages(SystemClock(), self.metrics)
        self.health = Health(["qmtl.a.v1.A"], self.outages)

    async def says(self, service: str) -> int:
        return (await self.health.Check(healthpb.HealthCheckRequest(service=service), None)).status  # type: ignore[arg-type] # unused


async def test_a_vital_outage_ends_serving_and_any_other_is_told_beside_it() -> None:
    stage = Stage()
    await stage.health.set_all(True)
    assert [await stage.says(name) for name in ("", "qmtl.a.v1.A", OUTAGES)] == [SERVING, SERVING, SERVING]
    stage.outages.note("disk", "full")
    assert [await stage.says(name) for name in ("", "qmtl.a.v1.A", OUTAGES)] == [SERVING, SERVING, NOT_SERVING]
    stage.outages.note("store", "read-only", vital=True)
    assert [await stage.says(name) for name in ("", "qmtl.a.v1.A", OUTAGES)] == [NOT_SERVING] * 3
    assert b'qmtl_outage{subject="store"} 1.0' in generate_latest(stage.metrics.registry)
    stage.outages.note("store", "", vital=True)
    stage.outages.note("disk", "")
    assert [await stage.says(name) for name in ("", OUTAGES)] == [SERVING, SERVING]
    assert b'qmtl_outage{subject="store"} 0.0' in generate_latest(stage.metrics.registry)
    with pytest.raises(NotFound, match="E_SERVICE_UNKNOWN"):
        await stage.says("nobody")


async def test_an_outage_is_told_once_when_it_begins_and_once_when_it_is_over() -> None:
    with logged() as out:
        stage = Stage()
        for detail in ("full", "full", "", ""):
            stage.outages.note("disk", detail)
    assert [line["event"] for line in lines(out)] == ["outage", "outage_over"]


async def test_a_check_is_made_again_and_again() -> None:
    stage, answers = Stage(), ["", "full"]

    async def check() -> str:
        if answers[-1] == "gone":
            raise Unavailable("E_X", "gone")
        return answers[-1]

    task = asyncio.create_task(stage.outages.watch("disk", check))

    def told() -> list[str]:
        return [one.detail for one in stage.outages.current().values()]

    answers.append("full")
    await eventually(lambda: told() == ["full"], timeout_s=5)
    answers.append("gone")
    await eventually(lambda: told() == ["gone"], timeout_s=5)
    answers.append("")
    await eventually(lambda: not stage.outages.current(), timeout_s=5)
    task.cancel()


async def test_a_check_that_does_not_answer_is_an_outage_within_five_seconds() -> None:
    stage = Stage()

    async def hangs() -> str:
        await asyncio.Event().wait()
        return ""

    task = asyncio.create_task(stage.outages.watch("store", hangs, vital=True))
    await eventually(lambda: "store" in stage.outages.current(), timeout_s=5)
    assert "no answer within 2 s" in stage.outages.current()["store"].detail
    task.cancel()


async def test_a_watcher_of_health_hears_of_an_outage() -> None:
    stage = Stage()
    await stage.health.set_all(True)
    answers = stage.health.Watch(healthpb.HealthCheckRequest(), None)  # type: ignore[arg-type] # unused
    assert (await anext(answers)).status == SERVING
    stage.outages.note("store", "gone", vital=True)
    async with asyncio.timeout(5):
        assert (await anext(answers)).status == NOT_SERVING


async def test_work_that_fails_is_an_outage_until_it_holds() -> None:
    stage = Stage()

    async def fails() -> None:
        raise LookupError("a bug")

    supervised = stage.outages.supervised("relay", fails)
    task = asyncio.create_task(supervised.run())
    await eventually(lambda: "task relay" in stage.outages.current(), timeout_s=5)
    outage = stage.outages.current()["task relay"]
    assert "LookupError: a bug" in outage.detail
    assert not outage.vital
    task.cancel()
