"""Key sets at a URL: copied from a real HTTP server, kept over its outages, never from elsewhere or in the clear."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey

from qmtl.core.clock import SystemClock
from qmtl.core.errors import InvalidRequest, Unauthenticated, Unavailable
from qmtl.core.settings import Issuer, MeshSettings, ServiceSettings
from qmtl.rpc.auth import Authenticator, copy_of, mint, new_key
from qmtl.rpc.jwks import BYTES_MAX, KeyMirror


@dataclass
class Published:
    """What the issuer's server answers now."""

    body: bytes = b""
    status: int = 200
    location: str = ""
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def publish(self, *keys: OKPKey) -> None:
        self.body = json.dumps({"keys": [key.as_dict(private=True) for key in keys]}).encode()


@contextmanager
def published() -> Iterator[Published]:
    told = Published()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            self.send_response(told.status)
            if told.location:
                self.send_header("location", told.location)
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}/jwks"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def issuer() -> Iterator[Published]:
    with published() as told:
        yield told


def mirror(told: Published, home: Path) -> KeyMirror:
    return KeyMirror.of([Issuer(issuer="corp", jwks=told.url)], home)


def authenticator(told: Published, home: Path) -> Authenticator:
    mesh = MeshSettings(home=home, issuers=(Issuer(issuer="corp", jwks=told.url),))
    return Authenticator.from_settings(ServiceSettings(service="gateway", mesh=mesh))


def token(key: OKPKey) -> str:
    exp = int(SystemClock().now().timestamp()) + 60
    return mint(key, {"iss": "corp", "aud": "qmtl", "sub": "ada", "role": "reader", "exp": exp})


async def test_tokens_of_a_published_key_are_verified_and_private_halves_are_not_kept(
    issuer: Published, tmp_path: Path
) -> None:
    key = new_key()
    issuer.publish(key)
    await mirror(issuer, tmp_path).fetch()
    assert authenticator(issuer, tmp_path).user(token(key)).subject == "ada"
    kept = json.loads(copy_of(issuer.url, tmp_path).read_text())["keys"]
    assert [("d" in each, each["kid"]) for each in kept] == [(False, key.kid)]


async def test_a_rotation_is_followed_by_who_runs_already(issuer: Published, tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    issuer.publish(old)
    keys = mirror(issuer, tmp_path)
    await keys.fetch()
    running = authenticator(issuer, tmp_path)
    with pytest.raises(Unauthenticated):
        running.user(token(new))
    issuer.publish(new)
    await keys.fetch()
    assert running.user(token(new)).subject == "ada"
    with pytest.raises(Unauthenticated):
        running.user(token(old))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 503), (b"<html>", 200), (b"[]", 200), (b'{"keys": []}', 200),
        (b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', 200), (b" " * (BYTES_MAX + 1), 200),
    ],
)  # fmt: skip
async def test_what_is_no_key_set_leaves_the_copy_and_without_one_refuses_to_start(
    issuer: Published, tmp_path: Path, body: bytes, status: int
) -> None:
    key = new_key()
    issuer.publish(key)
    keys = mirror(issuer, tmp_path / "old")
    await keys.fetch()
    issuer.body, issuer.status = body, status
    await keys.fetch()
    assert authenticator(issuer, tmp_path / "old").user(token(key)).subject == "ada"
    with pytest.raises(Unavailable) as refused:
        await mirror(issuer, tmp_path / "fresh").fetch()
    assert refused.value.reason == "E_JWKS"
    assert issuer.url in refused.value.message


async def test_a_redirect_is_not_followed(issuer: Published, tmp_path: Path) -> None:
    with published() as elsewhere:
        elsewhere.publish(new_key())
        issuer.status, issuer.location = 302, elsewhere.url
        with pytest.raises(Unavailable):
            await mirror(issuer, tmp_path).fetch()
        assert elsewhere.asked == []


@pytest.mark.parametrize("url", ["http://id.example/jwks", "ftp://127.0.0.1/jwks", "file:///etc/passwd"])
def test_a_set_is_never_fetched_in_the_clear_from_afar(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as refused:
        KeyMirror.of([Issuer(issuer="corp", jwks=url)], tmp_path)
    assert refused.value.reason == "E_CONFIG"
