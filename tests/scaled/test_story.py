"""The demo's story, told through the command line on a scaled-out mesh, while replicas die and secrets are renewed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from examples.ema_cross import EmaCross
from qmtl.config.endpoint import Endpoint, EndpointOptions, find_endpoint
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1 import event_service_pb2_grpc as eventrpc
from qmtl.rpc.client.gateway import open_gateway
from qmtl.rpc.client.streams import scoped
from qmtl.rpc.metadata import bearer
from qmtl.sdk import Runner
from qmtl.sdk.mesh.client import Gateway
from qmtl.sdk.mesh.session.events import BarDone, SessionEvent
from qmtl.sdk.mesh.session.terms import SessionTerms
from tests.cli.conftest import CUT, POLICY, PRESET
from tests.scaled.scaled_mesh import ScaledMesh
from tests.support.processes import ROOT
from tests.support.waiting import eventually

WORLD = "trading"
TOPICS = (eventpb.TOPIC_ACTIVATION, eventpb.TOPIC_ORDERS)
pytestmark = pytest.mark.timeout(600)


async def test_a_story_outlives_a_replica_and_the_renewal_of_every_secret(scaled: ScaledMesh, tmp_path: Path) -> None:
    await scaled.ready()
    await eventually(lambda: level(scaled, "gateway-1") == level(scaled, "gateway-2") == "NORMAL", 120.0)
    for name in ("gateway-1", "brokerage-1"):
        done = scaled.qmtl("config", "validate", "--json", cwd=scaled.folder / name)
        wrong = [one for one in json.loads(done.stdout) if one["level"] != "ok"]
        assert (done.returncode, wrong) == (0, [])

    shown = scaled.metrics("gateway-1")
    assert 'qmtl_gateway_level{level="NORMAL"} 1.0' in shown
    assert 'qmtl_credential_expires_timestamp_seconds{credential="certificate"}' in shown

    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    scaled.ask("world", "create", WORLD, "--preset", PRESET, "--policy", tmp_path / "policy.yaml")
    cross = ROOT / "examples" / "ema_cross.py"
    told = scaled.ask("submit", cross, "--world", WORLD, "--end", CUT.isoformat(), "--json")
    strategy = json.loads(told)["strategy_id"]
    scaled.ask("world", "activate", WORLD, strategy, "--stage", "paper")

    access = scaled.access("gateway-1")
    gateway = Gateway(
        access["QMTL_ADDRESS"],
        token_file=Path(access["QMTL_TOKEN_FILE"]),
        ca=Path(access["QMTL_CA"]),
        outage_s_max=60.0,
    )
    troubles: dict[int, Callable[[], None]] = {
        30: partial(scaled.kill, "worldservice-1"),
        60: scaled.renew_secrets,
        120: partial(scaled.kill, "dagmanager-1"),
    }
    bars = 0

    def on_event(event: SessionEvent) -> None:
        nonlocal bars
        if isinstance(event, BarDone):
            bars = event.bars
            troubles.pop(bars, lambda: None)()

    terms = SessionTerms(bars_per_second=200.0)
    await Runner.run_async(EmaCross(), world=WORLD, gateway=gateway, terms=terms, on_event=on_event)
    assert troubles == {}
    assert bars > 300
    listed = json.loads(scaled.ask("orders", "list", "--world", WORLD, "--json", gateway="gateway-2"))
    assert listed
    assert all(order["state"] != "ORDER_STATE_UNSPECIFIED" for order in listed)

    await a_stream_moves(endpoint(scaled, "gateway-1"), endpoint(scaled, "gateway-2"))
    assert set(scaled.ended()) == {"worldservice-1", "dagmanager-1"}  # and none by itself
    for name in ("worldservice-1", "dagmanager-1"):
        scaled.start(name)
    await scaled.ready()
    assert "certificate_taken" in scaled.log("brokerage-1", 1_000_000)
    assert "certificate_not_taken" not in "".join(scaled.log(name, 1_000_000) for name in scaled.processes)


async def a_stream_moves(first: Endpoint, second: Endpoint) -> None:
    """A stream opened at one gateway is read at the other, and goes on at the first from the place reached there."""
    async with open_gateway(first) as here, open_gateway(second) as there:
        request = eventservicepb.CreateEventStreamRequest(world_id=WORLD, topics=TOPICS)
        token = (await eventrpc.EventServiceStub(here).CreateEventStream(request)).stream.stream_token
        frames, place = await read(eventrpc.EventServiceStub(there), token, "")
        assert "snapshot" in frames
        frames, _ = await read(eventrpc.EventServiceStub(here), token, place)
        assert "snapshot" not in frames  # nothing was missed


async def read(events: eventrpc.EventServiceAsyncStub, token: str, place: str) -> tuple[list[str], str]:
    """The kinds of frames up to the first bookmark, and its place."""
    request = eventservicepb.SubscribeEventsRequest(resume_token=place)
    kinds = []
    async with asyncio.timeout(30.0):
        with scoped(events.SubscribeEvents(request, metadata=bearer(token))) as call:
            async for answer in call:
                kinds.append(str(answer.frame.WhichOneof("body")))
                if kinds[-1] == "bookmark":
                    return kinds, answer.frame.bookmark.resume_token
    raise AssertionError(f"the stream ended after {kinds}")


def endpoint(mesh: ScaledMesh, gateway: str) -> Endpoint:
    return find_endpoint(EndpointOptions(), mesh.access(gateway))


def level(mesh: ScaledMesh, gateway: str) -> str:
    """The gateway's level as `qmtl status` says it."""
    done = mesh.qmtl("status", "--json", environ=mesh.access(gateway))
    return str(json.loads(done.stdout)["gateway"]["level"]).removeprefix("DEGRADATION_LEVEL_") if done.stdout else ""
