"""Rows of `qmtl status`, from replies made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qmtl.cli.commands.mesh.status import (
    Report,
    counts_of,
    dependency_rows,
    gate_rows,
    lag_rows,
    process_row,
    service_rows,
)
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.home import Running
from qmtl.control.v1 import broker_stream_service_pb2 as brokerstreamservicepb
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from tests.cli.conftest import WORLD, CliMesh

pytestmark = pytest.mark.timeout(180)


def test_a_service_that_does_not_answer_is_shown_beside_the_others() -> None:
    need = commonpb.DependencyStatus(
        name="nats", state=commonpb.DEPENDENCY_STATE_UNREACHABLE, breaker=commonpb.BREAKER_STATE_OPEN, detail="refused"
    )
    status = commonpb.ServiceStatus(service="gateway", outbox_depth=7, degraded=True, dependencies=[need])
    reply = gatewaystatuspb.GetStatusResponse(status=status, submissions_queued=3)
    reports = [Report("gateway", status, counts_of(reply)), Report("seamless", None, {}, "E_UNAVAILABLE: gone")]
    first, second = service_rows(reports)
    assert first[2:4] == ("DEGRADED", "7")
    assert "submissions queued 3" in first[4]
    assert second[2:] == ("NO ANSWER", "-", "E_UNAVAILABLE: gone")
    assert dependency_rows(reports) == [("gateway", "nats", "UNREACHABLE", "OPEN", "refused")]
    status.uncounted = True
    assert service_rows(reports[:1])[0][2:] == ("DEGRADED", "-", "its store does not answer")


def test_a_process_that_was_started_anew_is_starting_until_it_answers() -> None:
    anew = Running(name="gateway", address="a", pid=7, stamp="", metrics_port=0, restarts=1)
    assert process_row(anew, True) == ("gateway", "a", "7", "starting", "1", "-")
    assert process_row(replace(anew, ready_s=2.5), True)[3:] == ("up", "1", "2.50 s")
    assert process_row(anew, False)[3] == "DOWN"


def test_gates_and_lag() -> None:
    gate = gatewaystatuspb.GateStatus(
        world_id="w",
        world_revision=4,
        fence_epoch=2,
        effective_mode=commonpb.EFFECTIVE_MODE_PAPER,
        message="no renewal",
    )
    assert gate_rows(gatewaystatuspb.GetStatusResponse(gates=[gate])) == [
        ("w", "PAPER", "4", "2", "LAPSED", "no renewal")
    ]
    consumers = [
        brokerstreamservicepb.ConsumerInfo(name="a", pending=1),
        brokerstreamservicepb.ConsumerInfo(name="b", ack_pending=9),
    ]
    streams = brokerstreamservicepb.GetStreamsResponse(
        streams=[brokerstreamservicepb.StreamInfo(name="CONTROL", consumers=consumers)]
    )
    assert [row[1] for row in lag_rows(streams)] == ["b", "a"]


def test_status_shows_every_service_and_the_bus(cli_mesh: CliMesh) -> None:
    document = cli_mesh.json("status")
    assert {one["service"] for one in document["services"]} == {
        "gateway", "dagmanager", "worldservice", "brokerage", "seamless", "controlbus",
    }  # fmt: skip
    assert not any(one["error"] for one in document["services"])
    assert document["bus"]["streams"]
    text = cli_mesh.ask("status")
    for word in ("gateway level NORMAL", "breaker", "outbox", "order gates", "CLOSED", WORLD):
        assert word in text
