"""The connection: credentials with permissions, bad settings, failing fast while the broker is away."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nkeys  # type: ignore[import-untyped]  # ships no stubs
import pytest
from structlog.testing import capture_logs

from controlbus.bus import Bus, connected
from controlbus.jetstream.connection import servers_of
from qmtl.core.errors import Conflict, InvalidRequest, Unavailable
from tests.rpc.certificates import authority
from tests.support.nats import NatsServer
from tests.support.processes import python_env
from tests.support.waiting import eventually


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[NatsServer, Path, Path]]:
    """A server with an administrator and a service that may publish control events of one type only."""
    seeds, publics = [], []
    for name in ("admin", "service"):
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        (tmp_path / name).write_bytes(seed)
        seeds.append(tmp_path / name)
        publics.append(nkeys.from_seed(bytearray(seed)).public_key.decode())
    config = f"""
    authorization {{ users = [
      {{ nkey: {publics[0]} }}
      {{ nkey: {publics[1]}, permissions: {{
        publish: ["$JS.API.>", "qmtl.control.policy_updated.>"], subscribe: ["_INBOX.>"] }} }}
    ] }}
    """
    server = NatsServer(tmp_path, config=config)
    server.start()
    yield server, seeds[0], seeds[1]
    server.stop()


async def test_a_service_may_publish_what_its_permissions_say(guarded: tuple[NatsServer, Path, Path]) -> None:
    server, admin_seed, service_seed = guarded
    admin = await Bus.connect(server.url, service="admin", credentials=admin_seed)
    service = await Bus.connect(server.url, service="t", credentials=service_seed)
    await admin.wait_ready(10)
    await service.wait_ready(10)
    await service.publish("qmtl.control.policy_updated.w", b"x", msg_id="1")
    with pytest.raises(Unavailable):
        await service.publish("qmtl.orders.w.a", b"x", msg_id="2")
    assert (await admin.link.js.stream_info("ORDERS")).state.messages == 0
    await service.close()
    await admin.close()


# nats-py forgets the socket of a reconnection that the server refuses.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:unclosed:ResourceWarning")
async def test_a_key_that_is_renewed_in_its_file_is_taken_without_a_restart(tmp_path: Path) -> None:
    def seed() -> tuple[bytes, str]:
        made = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        return (
            made,
            f"authorization {{ users = [ {{ nkey: {nkeys.from_seed(bytearray(made)).public_key.decode()} }} ] }}",
        )

    file = tmp_path / "service.nk"
    (first, config), (second, renewed) = seed(), seed()
    file.write_bytes(first)
    server = NatsServer(tmp_path, config=config)
    server.start()
    try:
        bus = await Bus.connect(server.url, service="t", credentials=file)
        await bus.wait_ready(10)
        server.kill()
        (tmp_path / "nats.conf").write_text(renewed)
        server.start()
        await eventually(lambda: "authorization" in bus.status().detail.lower())
        file.write_bytes(second)
        await eventually(lambda: bus.status().connected)
        await bus.close()
    finally:
        server.stop()


async def test_a_broker_over_tls_is_trusted_by_its_ca_alone(tmp_path: Path) -> None:
    ca, other = authority(tmp_path, "ca"), authority(tmp_path, "other")
    cert, key = ca.issue("n1")
    server = NatsServer(tmp_path, config=f'tls {{ cert_file: "{cert}", key_file: "{key}" }}')
    server.start()
    try:
        trusting = await Bus.connect(server.url, service="t", ca=ca.file)
        await trusting.wait_ready(10)
        doubting = await Bus.connect(server.url, service="u", ca=other.file)
        await eventually(lambda: "certificate verify failed" in doubting.status().detail)
        await trusting.close()
        await doubting.close()
    finally:
        server.stop()
    (tmp_path / "x.pem").write_text("x")
    with pytest.raises(InvalidRequest, match=r"mesh\.nats_ca is .*x\.pem, want a file of PEM"):
        await Bus.connect(server.url, service="t", ca=tmp_path / "x.pem")


async def test_without_credentials_there_is_no_connection(guarded: tuple[NatsServer, Path, Path]) -> None:
    bus = await Bus.connect(guarded[0].url, service="t")
    await eventually(lambda: "authorization" in bus.status().detail.lower())
    assert not bus.status().connected
    await bus.close()


@pytest.mark.parametrize("content", [None, "SAABC", "hello"])
async def test_bad_credentials_are_named_at_once(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "x.creds"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidRequest, match="nats_credentials"):
        await Bus.connect("nats://127.0.0.1:1", service="t", credentials=path)


@pytest.mark.parametrize("url", ["", "127.0.0.1:4222", "http://x:1", "nats://", "nats://a:1,", "ws://a:1"])
async def test_bad_urls_are_named_at_once(url: str) -> None:
    with pytest.raises(InvalidRequest, match="nats_url"):
        await Bus.connect(url, service="t")


def test_a_process_on_the_bus_does_not_load_what_only_websockets_need() -> None:
    """And who needs it for something else finds it afterwards, where it is installed."""
    code = "import sys, controlbus.bus; print('aiohttp' in sys.modules, 'nats' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], env=python_env(), capture_output=True, text=True, check=True)
    assert said.stdout == "False True\n"


def test_several_servers() -> None:
    assert servers_of("nats://a:1, nats://b:2") == ["nats://a:1", "nats://b:2"]


async def test_calls_under_way_fail_at_once_when_the_broker_dies(nats_server: NatsServer) -> None:
    async with connected(nats_server.url, service="t") as bus:
        nats_server.pause()
        publishing = asyncio.create_task(bus.publish("qmtl.orders.a", b"x", msg_id="1"))
        asking = asyncio.create_task(bus.link.ask(bus.link.js.stream_info("CONTROL")))
        await asyncio.wait([publishing, asking], timeout=0.2)
        assert not publishing.done()
        begin = asyncio.get_running_loop().time()
        nats_server.kill()
        for task in (publishing, asking):
            with pytest.raises(Unavailable, match="connection lost"):
                await task
        assert asyncio.get_running_loop().time() - begin < 2.0
        with pytest.raises(Unavailable, match="E_BUS_UNAVAILABLE"):
            await bus.publish("qmtl.orders.a", b"x", msg_id="1")
        with pytest.raises(Unavailable):
            await bus.wait_ready(0.2)


async def test_compare_and_set_and_the_message_id(nats_url: str) -> None:
    async with connected(nats_url, service="t") as bus:
        first = await bus.publish("qmtl.fills.cas.a", b"1", msg_id="cas-1", expected_last=0)
        assert await bus.publish("qmtl.fills.cas.b", b"1", msg_id="cas-1") == first
        with pytest.raises(Conflict, match="E_BUS_SEQUENCE"):
            await bus.publish("qmtl.fills.cas.a", b"2", msg_id="cas-2", expected_last=0)
        assert await bus.publish("qmtl.fills.cas.a", b"2", msg_id="cas-3", expected_last=first) > first
        with pytest.raises(Unavailable):
            await bus.publish("nobody.takes.this", b"", msg_id="x")


async def test_an_end_that_was_asked_for_is_no_failure(nats_url: str) -> None:
    with capture_logs() as lines:
        for _ in range(20):
            async with connected(nats_url, service="t"):
                pass
    assert [line["event"] for line in lines if line["log_level"] in ("warning", "error")] == []
