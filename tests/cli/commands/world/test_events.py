"""`qmtl events tail`: resumes without a gap or a repeat."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest

from qmtl.cli.commands.world.events import follow, resume_token
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from tests.cli.conftest import PRESET, WORLD, CliMesh
from tests.mesh.gateway_client import open_gateway_client

pytestmark = pytest.mark.timeout(180)


def test_tail_resumes_after_a_token_without_repeating(cli_mesh: CliMesh) -> None:
    topics = ("--topics", "policy", "--topics", "activation")
    first = cli_mesh.ask("events", "tail", "--world", WORLD, *topics, "--tokens", "--count", "4").splitlines()
    assert [line.split()[2] for line in first if " = " in line] == [
        "activation_updated",
        "policy_updated",
        "decision_updated",
    ]
    token = first[-1].removeprefix("-- resume ")
    cli_mesh.ask("world", "activate", WORLD, cli_mesh.cross, "--weight", "0.25")
    (line,) = cli_mesh.ask("events", "tail", "--world", WORLD, *topics, "--resume", token, "--count", "1").splitlines()
    assert "activation_updated" in line
    assert f"{cli_mesh.cross} long active 0.25" in line
    cli_mesh.ask("world", "activate", WORLD, cli_mesh.cross, "--weight", "1")
    as_json = cli_mesh.ask("events", "tail", "--world", WORLD, *topics, "--json", "--count", "1")
    assert json.loads(as_json)["snapshot"]["topic"] == "TOPIC_ACTIVATION"


async def test_tail_goes_on_by_itself_when_the_gateway_is_killed(cli_mesh: CliMesh) -> None:
    seen: list[controlpb.ControlEvent] = []
    mesh, news = cli_mesh.mesh, asyncio.Event()
    world = f"w-{uuid.uuid4().hex[:8]}"
    await asyncio.to_thread(cli_mesh.ask, "world", "create", world, "--preset", PRESET)
    await asyncio.to_thread(cli_mesh.ask, "world", "policy", "set", world, "--preset", "sandbox")
    request = eventservicepb.CreateEventStreamRequest(world_id=world, topics=["TOPIC_POLICY"])

    async def watch() -> None:
        async with open_gateway_client(mesh.address("gateway"), mesh.home) as door:
            async for frame in follow(door.events, request, "", 60.0):
                seen.extend([*frame.snapshot.states, *frame.events.events])
                if resume_token(frame):  # a break before that begins with the state again
                    news.set()

    watching = asyncio.create_task(watch())
    await asyncio.wait_for(news.wait(), 20)
    pid = mesh.kill("gateway")
    await asyncio.to_thread(mesh.wait_ready, "gateway", other_than=pid)
    news.clear()
    await asyncio.to_thread(cli_mesh.ask, "world", "policy", "set", world, "--preset", "conservative")
    async with asyncio.timeout(30):
        while not any(event.policy_updated.policy_version == 2 for event in seen):
            await news.wait()
            news.clear()
    watching.cancel()
    versions = [event.policy_updated.policy_version for event in seen if event.HasField("policy_updated")]
    assert versions == [1, 2]
