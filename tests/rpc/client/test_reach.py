"""What keeps a client from a server, told apart: name, connection, TLS, client certificate, protocol."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from grpc import aio

from qmtl.rpc.client.reach import Cause, obstacle
from tests.rpc.certificates import Authority, authority
from tests.rpc.mesh import Mesh, settings_of
from tests.rpc.test_tls import secured


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return authority(tmp_path, "mesh-ca")


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """A port that accepts; what it says after the first bytes, None: nothing ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        if answer is not None:
            loop = asyncio.get_running_loop()

            async def serve() -> None:
                server.setblocking(False)
                talk, _ = await loop.sock_accept(server)
                with talk:
                    await loop.sock_recv(talk, 1024)
                    await loop.sock_sendall(talk, answer)

            task = loop.create_task(serve())
        yield f"127.0.0.1:{server.getsockname()[1]}"
        if answer is not None:
            task.cancel()


async def test_a_server_that_can_be_used_has_no_obstacle(mesh: Mesh, home: Path, ca: Authority) -> None:
    plain = await mesh.serve(name="gateway", settings=settings_of(home, "gateway"))
    assert await obstacle(f"127.0.0.1:{plain.port}") is None
    tls = await mesh.serve(name="brokerage", settings=secured(home, "brokerage", ca))
    cert, key = ca.issue("me")
    assert await obstacle(f"127.0.0.1:{tls.port}", ca.file, cert, key) is None


async def test_a_missing_client_certificate_is_told(mesh: Mesh, home: Path, ca: Authority) -> None:
    server = await mesh.serve(name="brokerage", settings=secured(home, "brokerage", ca))
    found = await obstacle(f"127.0.0.1:{server.port}", ca.file)
    assert found is not None
    assert (found.cause, found.may_pass) == (Cause.TLS, False)
    assert "may demand a client certificate" in found.text


async def test_certificates_that_are_not_trusted_are_told(
    mesh: Mesh, home: Path, ca: Authority, tmp_path: Path
) -> None:
    server = await mesh.serve(name="gateway", settings=secured(home, "gateway", ca))
    address = f"127.0.0.1:{server.port}"
    found = await obstacle(address, authority(tmp_path, "other").file)
    assert found is not None
    assert found.cause is Cause.TLS
    assert "its certificate is not accepted: " in found.text
    found = await obstacle(f"localhost:{server.port}", ca.file)
    assert found is not None
    assert "Hostname mismatch" in found.text


async def test_an_expired_certificate_is_told(ca: Authority) -> None:
    cert, key = ca.issue("old", until=timedelta(seconds=-1))
    server = aio.server()
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())]))
    await server.start()
    try:
        found = await obstacle(f"127.0.0.1:{port}", ca.file)
    finally:
        await server.stop(0.0)
    assert found is not None
    assert found.text == "its certificate is not accepted: certificate has expired"


async def test_tls_and_plaintext_mistaken_for_each_other_are_told(mesh: Mesh, home: Path, ca: Authority) -> None:
    tls = await mesh.serve(name="gateway", settings=secured(home, "gateway", ca))
    found = await obstacle(f"127.0.0.1:{tls.port}")
    assert found is not None
    assert found.cause is Cause.PROTOCOL
    assert "--ca" in found.text
    plain = await mesh.serve(name="brokerage", settings=settings_of(home, "brokerage"))
    found = await obstacle(f"127.0.0.1:{plain.port}", ca.file)
    assert found is not None
    assert found.cause is Cause.TLS
    assert "TLS" in found.text


async def test_nobody_there_no_such_name_and_no_answer_may_pass() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    found = await obstacle(f"127.0.0.1:{closed}")
    assert found is not None
    assert (found.cause, found.may_pass) == (Cause.REFUSED, True)
    found = await obstacle("no.such.name.invalid:1")
    assert found is not None
    assert (found.cause, found.may_pass) == (Cause.NAME, True)
    with listening(None) as address:
        started = time.monotonic()
        found = await obstacle(address, within_s=0.3)
        assert found is not None
        assert (found.cause, found.may_pass) == (Cause.SILENT, True)
        assert time.monotonic() - started < 1.0


async def test_another_protocol_is_told() -> None:
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        found = await obstacle(address)
    assert found is not None
    assert (found.cause, found.text) == (Cause.PROTOCOL, "what answers is no gRPC server")


async def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    found = await obstacle("127.0.0.1:1", tmp_path / "none.pem")
    assert found is not None
    assert (found.cause, found.may_pass) == (Cause.FILE, False)
    assert "none.pem" in found.text
