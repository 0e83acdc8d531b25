"""Several addresses for one peer: in turn, around the one that is gone, by one name over TLS."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from qmtl.config.settings import MeshSettings, addresses_of, is_loopback
from qmtl.core.errors import InvalidRequest
from qmtl.rpc import tls
from qmtl.rpc.client.channel import CallMetadata, MeshChannel, connect
from qmtl.rpc.client.transport import Transport, target_of
from tests.rpc.certificates import authority
from tests.rpc.echo import EchoStub
from tests.rpc.mesh import Gate, Mesh, peer, user
from tests.rpc.test_tls import secured
from tests.support.waiting import eventually


def named(name: str) -> object:
    async def act(text: str) -> str:
        return name

    return act


async def asked(channel: MeshChannel, times: int) -> Counter[str]:
    stub = EchoStub(channel)
    return Counter([await stub.say("Post", "x", timeout=5) for _ in range(times)])


async def test_replicas_share_the_calls_and_the_one_that_is_gone_is_left_out(mesh: Mesh, home: Path) -> None:
    servers = [await mesh.serve(named(f"s{number}")) for number in range(2)]  # type: ignore[arg-type]
    address = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    async with connect(address, user_token=user(home), service_token=peer(home)) as channel:

        async def both() -> bool:
            return len(await asked(channel, 2)) == 2

        await eventually(both)  # the second connection may come a moment later
        assert await asked(channel, 10) == {"s0": 5, "s1": 5}
        await servers[0].stop(0.0)

        async def one() -> bool:
            return await asked(channel, 4) == {"s1": 4}

        await eventually(one)


async def test_over_tls_replicas_are_known_by_the_services_name(mesh: Mesh, home: Path, tmp_path: Path) -> None:
    ca = authority(tmp_path, "ca")
    settings = secured(home, "dagmanager", ca)  # its certificate says 127.0.0.1 and dagmanager
    servers = [await mesh.serve(named(f"s{number}"), settings=settings) for number in range(2)]  # type: ignore[arg-type]
    address = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    tokens = {"user_token": user(home), "service_token": peer(home)}
    own = secured(home, "gateway", ca)
    async with connect(address, settings=own, peer="dagmanager", **tokens) as channel:  # type: ignore[arg-type]

        async def both() -> bool:
            return len(await asked(channel, 2)) == 2

        await eventually(both)
    with pytest.raises(InvalidRequest, match=r"E_CONFIG.*dns:///name:port"):
        connect(address, ca=ca.file)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("host:1", ("host:1",)),
        ("10.0.0.1:1, 10.0.0.2:2", ("10.0.0.1:1", "10.0.0.2:2")),
        ("[::1]:1,[::2]:2", ("[::1]:1", "[::2]:2")),
        ("dns:///host:1", ("host:1",)),
    ],
)
def test_addresses(text: str, places: tuple[str, ...]) -> None:
    assert addresses_of(text) == places


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("host", "want host:port"),
        ("a:1,10.0.0.2:2", "'a:1' is one of several, want an IP address, or dns:///name:port"),
        ("dns:///host", "want host:port"),
        ("[::1]:1,10.0.0.2:2", "either IPv4 or IPv6"),
        ("10.0.0.1:1,", "want host:port"),
    ],
)
def test_what_is_no_address_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        addresses_of(text)
    with pytest.raises(ValueError, match=named):
        MeshSettings(addresses={"gateway": text})
    with pytest.raises(InvalidRequest, match="address of gateway"):
        target_of(text, "gateway", secure=False)


def test_targets() -> None:
    assert target_of("host:1", "", secure=True) == ("host:1", [])
    target, options = target_of("10.0.0.1:1,10.0.0.2:2", "worldservice", secure=True)
    assert target == "ipv4:10.0.0.1:1,10.0.0.2:2"
    assert ("grpc.ssl_target_name_override", "worldservice") in options
    assert "round_robin" in str(dict(options)["grpc.service_config"])
    assert target_of("[::1]:1,[::2]:2", "w", secure=False)[0] == "ipv6:[::1]:1,[::2]:2"
    target, options = target_of("dns:///host:1", "w", secure=True)
    assert target == "dns:///host:1"
    assert "grpc.ssl_target_name_override" not in dict(options)


def test_several_are_local_only_if_each_is() -> None:
    assert is_loopback("127.0.0.1:1,127.0.0.2:2")
    assert not is_loopback("127.0.0.1:1,10.0.0.1:2")


async def test_with_a_renewed_certificate_new_calls_go_over_a_new_connection_and_streams_go_on(
    mesh: Mesh, home: Path, tmp_path: Path
) -> None:
    ca, gate = authority(tmp_path, "ca"), Gate()

    async def act(text: str) -> str:
        return await gate.wait(text) if text == "wait" else text.upper()

    server = await mesh.serve(act, name="brokerage", settings=secured(home, "brokerage", ca))
    settings = secured(home, "gateway", ca)
    credentials = tls.ChannelCredentials(tls.CurrentFiles(tls.files_of(settings)), look_s=0.0)
    transport = Transport(f"127.0.0.1:{server.port}", "brokerage", credentials, [])
    given = CallMetadata(peer(home), user(home), 5.0, None)
    async with MeshChannel(transport, given) as channel:
        stub = EchoStub(channel)
        waiting = asyncio.create_task(stub.say("Post", "wait", timeout=30))
        await gate.reached.wait()
        first = transport.channel
        ca.issue("gateway")
        assert await stub.say("Post", "x", timeout=5) == "X"
        assert transport.channel is not first
        gate.opened.set()
        assert await waiting == "wait"
