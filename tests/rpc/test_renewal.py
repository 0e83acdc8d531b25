"""Certificates replaced while servers and channels run; wrong ones named, never taken."""

from __future__ import annotations

import ssl
import urllib.request
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from qmtl.config import certificates
from qmtl.config.certificates import CertificateFiles
from qmtl.core.errors import InvalidRequest
from qmtl.rpc import tls
from qmtl.rpc.client.channel import connect
from qmtl.rpc.client.reach import obstacle
from qmtl.rpc.telemetry.metrics import Metrics, MetricsEndpoint
from tests.rpc.certificates import Authority, authority
from tests.rpc.echo import EchoStub
from tests.rpc.mesh import Mesh, peer, user
from tests.rpc.test_tls import secured


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return authority(tmp_path, "mesh-ca")


def files(ca: Authority, name: str, until: timedelta = timedelta(hours=1)) -> CertificateFiles:
    cert, key = ca.issue(name, until)
    return CertificateFiles(cert, key, ca.file, "gateway.tls_cert", "gateway.tls_key", "gateway.tls_client_ca")


async def test_a_server_shows_the_renewed_certificate_without_a_restart(mesh: Mesh, home: Path, ca: Authority) -> None:
    server = await mesh.serve(name="gateway", settings=secured(home, "gateway", ca))
    address = f"127.0.0.1:{server.port}"
    other = authority(ca.folder, "other")
    assert await obstacle(address, ca.file) is None
    assert await obstacle(address, other.file) is not None
    other.issue("gateway")  # over the files that the server reads
    assert await obstacle(address, other.file) is None


async def test_a_channel_proves_itself_with_the_renewed_certificate(mesh: Mesh, home: Path, ca: Authority) -> None:
    server = await mesh.serve(name="brokerage", settings=secured(home, "brokerage", ca))
    settings = secured(home, "gateway", ca)
    credentials = tls.channel_credentials(settings)
    assert credentials is not None
    now = [0.0]
    assert not credentials.renewed(lambda: now[0])
    first = credentials.current.loaded
    ca.issue("gateway")
    assert not credentials.renewed(lambda: now[0] + 0.1)  # not looked at again within two seconds
    assert credentials.renewed(lambda: now[0] + tls.LOOK_S)
    assert credentials.current.loaded != first
    channel = connect(f"127.0.0.1:{server.port}", settings=settings, user_token=user(home), service_token=peer(home))
    async with channel:
        stub = EchoStub(channel)
        assert await stub.say("Post", "x", timeout=5) == "X"


async def test_files_that_cannot_be_used_leave_those_in_force(mesh: Mesh, home: Path, ca: Authority) -> None:
    settings = secured(home, "gateway", ca)
    server = await mesh.serve(name="gateway", settings=settings)
    assert settings.tls_key is not None
    settings.tls_key.write_bytes(ca.issue("stranger")[1].read_bytes())
    assert await obstacle(f"127.0.0.1:{server.port}", ca.file) is None


def test_what_is_wrong_with_a_pair_is_named_by_setting_and_cause(ca: Authority) -> None:
    good = files(ca, "a")
    loaded = certificates.load(good)
    assert loaded.expires_at is not None
    assert (loaded.ca, loaded.cert) == (ca.file.read_bytes(), Path(str(good.cert)).read_bytes())
    assert "PRIVATE" not in repr(loaded)
    nonsense = ca.folder / "nonsense.pem"
    nonsense.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    other = files(ca, "b")
    cases = [
        (
            replace(good, key=other.key),
            r"gateway\.tls_key is .*b\.key, want the key of .*a\.crt: it belongs to another",
        ),
        (files(ca, "old", timedelta(seconds=-5)), r"gateway\.tls_cert is .*old\.crt, want .*valid now: it ended at 20"),
        (replace(good, cert=nonsense), r"gateway\.tls_cert is .*nonsense\.pem, want PEM certificates"),
        (replace(good, key=nonsense), r"gateway\.tls_key is .*nonsense\.pem, want a PEM private key"),
        (replace(good, ca=nonsense), r"gateway\.tls_client_ca is .*nonsense\.pem, want PEM certificates"),
        (replace(good, cert=ca.folder / "none"), r"gateway\.tls_cert is .*none \(No such file.*, want a readable file"),
    ]
    for wrong, named in cases:
        with pytest.raises(InvalidRequest, match=named) as refused:
            certificates.load(wrong)
        assert refused.value.reason == "E_CONFIG"
    ends = loaded.expires_at
    with pytest.raises(InvalidRequest, match="ended"):
        certificates.load(good, ends)
    certificates.load(good, ends - timedelta(seconds=1))
    with pytest.raises(InvalidRequest, match="it begins"):
        certificates.load(replace(good, ca=None), ends - timedelta(days=2))


def test_metrics_over_tls_are_for_who_has_the_token(ca: Authority, home: Path) -> None:
    settings = secured(home, "gateway", ca)
    endpoint = MetricsEndpoint(Metrics(), "127.0.0.1", 0, context=tls.http_context(settings), token=lambda: "s3cret")
    try:
        trusting = ssl.create_default_context(cafile=str(ca.file))
        url = f"https://127.0.0.1:{endpoint.port}/metrics"
        request = urllib.request.Request(url, headers={"Authorization": "Bearer s3cret"})
        with urllib.request.urlopen(request, context=trusting, timeout=5) as reply:
            assert b"qmtl_rpc_server_in_flight" in reply.read()
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}):
            with pytest.raises(urllib.error.HTTPError, match="401") as refused:
                urllib.request.urlopen(urllib.request.Request(url, headers=headers), context=trusting, timeout=5)
            refused.value.close()
        other = authority(ca.folder, "other")
        other.issue("gateway")
        trusting = ssl.create_default_context(cafile=str(other.file))
        with urllib.request.urlopen(request, context=trusting, timeout=5) as reply:
            assert reply.status == 200
    finally:
        endpoint.close()
