"""TLS: whoever cannot prove itself gets no connection, and prod does not start without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qmtl.config.settings import MeshSettings, ServiceSettings, is_loopback
from qmtl.core.errors import InvalidRequest, Unavailable
from qmtl.rpc import tls
from qmtl.rpc.client.channel import MeshChannel, connect
from tests.rpc.certificates import Authority, authority
from tests.rpc.echo import EchoStub
from tests.rpc.mesh import Mesh, peer, settings_of, user


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return authority(tmp_path, "mesh-ca")


def secured(home: Path, name: str, ca: Authority, trust: Path | None = None) -> ServiceSettings:
    cert, key = ca.issue(name)
    return settings_of(home, name).model_copy(
        update={"tls_cert": cert, "tls_key": key, "tls_client_ca": trust or ca.file}
    )


async def say(channel: MeshChannel) -> str:
    async with channel:
        return await EchoStub(channel).say("Post", "x", timeout=5)


async def refused(channel: MeshChannel) -> bool:
    try:
        await say(channel)
    except Unavailable:
        return True
    return False


async def test_a_service_with_the_meshs_certificate_is_served(mesh: Mesh, home: Path, ca: Authority) -> None:
    server = await mesh.serve(name="brokerage", settings=secured(home, "brokerage", ca))
    channel = connect(
        f"127.0.0.1:{server.port}",
        settings=secured(home, "gateway", ca),
        user_token=user(home),
        service_token=peer(home),
    )
    assert await say(channel) == "X"


async def test_a_plaintext_client_is_refused(mesh: Mesh, home: Path, ca: Authority) -> None:
    server = await mesh.serve(name="brokerage", settings=secured(home, "brokerage", ca))
    assert await refused(connect(f"127.0.0.1:{server.port}", user_token=user(home), service_token=peer(home)))


async def test_a_client_certificate_of_another_ca_is_refused(
    mesh: Mesh, home: Path, ca: Authority, tmp_path: Path
) -> None:
    server = await mesh.serve(name="brokerage", settings=secured(home, "brokerage", ca))
    stranger = secured(home, "gateway", authority(tmp_path, "other-ca"), trust=ca.file)
    assert await refused(connect(f"127.0.0.1:{server.port}", settings=stranger, service_token=peer(home)))


async def test_a_client_without_a_certificate_is_refused_behind_the_gateway(
    mesh: Mesh, home: Path, ca: Authority
) -> None:
    server = await mesh.serve(name="brokerage", settings=secured(home, "brokerage", ca))
    assert await refused(connect(f"127.0.0.1:{server.port}", ca=ca.file, service_token=peer(home)))


async def test_a_server_of_another_ca_is_not_trusted(mesh: Mesh, home: Path, ca: Authority, tmp_path: Path) -> None:
    other = authority(tmp_path, "other-ca")
    server = await mesh.serve(name="brokerage", settings=secured(home, "brokerage", other, trust=ca.file))
    assert await refused(
        connect(f"127.0.0.1:{server.port}", settings=secured(home, "gateway", ca), service_token=peer(home))
    )


async def test_the_gateway_serves_users_without_certificates(mesh: Mesh, home: Path, ca: Authority) -> None:
    server = await mesh.serve(name="gateway", settings=secured(home, "gateway", ca))
    assert await say(connect(f"127.0.0.1:{server.port}", ca=ca.file, user_token=user(home))) == "X"
    assert await refused(connect(f"127.0.0.1:{server.port}", user_token=user(home)))


def prod(home: Path) -> MeshSettings:
    return MeshSettings(home=home).model_copy(update={"profile": "prod"})


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (("tls_cert", "tls_key"), "brokerage.tls_cert"),
        (("tls_cert",), "brokerage.tls_cert"),
        (("tls_key",), "brokerage.tls_key"),
        (("tls_client_ca",), "brokerage.tls_client_ca"),
    ],
)
def test_prod_without_a_tls_file_names_the_setting(
    home: Path, ca: Authority, missing: tuple[str, ...], named: str
) -> None:
    whole = secured(home, "brokerage", ca).model_copy(update={"mesh": prod(home)})
    assert tls.server_credentials(whole, "brokerage") is not None
    with pytest.raises(InvalidRequest) as caught:
        tls.server_credentials(whole.model_copy(update=dict.fromkeys(missing)), "brokerage")
    assert [violation.field for violation in caught.value.violations] == [named]


def test_an_unreadable_file_names_setting_and_path(home: Path, ca: Authority, tmp_path: Path) -> None:
    lost = secured(home, "brokerage", ca).model_copy(update={"tls_key": tmp_path / "lost.key"})
    with pytest.raises(InvalidRequest, match=r"brokerage\.tls_key is .*lost\.key") as caught:
        tls.server_credentials(lost, "brokerage")
    assert caught.value.reason == "E_CONFIG"


def test_plaintext_is_for_loopback_only(home: Path) -> None:
    open_to_all = settings_of(home, "brokerage").model_copy(update={"bind": "0.0.0.0:7703"})
    with pytest.raises(InvalidRequest) as caught:
        tls.server_credentials(open_to_all, "brokerage")
    assert [violation.field for violation in caught.value.violations] == ["brokerage.bind"]


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("192.168.0.1:1", False),
        ("localhost.example:1", False),
    ],
)
def test_what_is_loopback(address: str, local: bool) -> None:
    assert is_loopback(address) is local
