"""Key sets at a URL: copied from a real HTTP server, kept over its outages, never from elsewhere or in the clear."""

from __future__ import annotations

import asyncio
import io
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from qmtl.config.settings import Issuer, MeshSettings, ServiceSettings, load_mesh
from qmtl.core.clock import SystemClock, VirtualClock
from qmtl.core.errors import InvalidRequest, Unauthenticated, Unavailable
from qmtl.rpc.auth.issuers import copy_of, public_keys
from qmtl.rpc.auth.key_mirror import AGAIN_S, BYTES_MAX, REFRESH_S, KeyMirror
from qmtl.rpc.auth.keys import SERVICE_AUDIENCE, new_key
from qmtl.rpc.auth.tokens import mint
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.telemetry import logs
from tests.rpc.auth.published_keys import Published, published
from tests.rpc.mesh import until


@pytest.fixture
def issuer() -> Iterator[Published]:
    with published() as told:
        yield told


@dataclass
class Told:
    """What the mirror says is away: name, detail, whether it is vital."""

    notes: list[tuple[str, str, bool]] = field(default_factory=list)

    def __call__(self, name: str, detail: str, *, vital: bool = False) -> None:
        self.notes.append((name, detail, vital))


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


def ed25519(**members: object) -> bytes:
    """A set of one key with these members."""
    return json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", **members}]}).encode()


NO_SET: dict[str, Published] = {
    "unavailable": Published(status=503),
    "html": Published(b"<html>"),
    "no object": Published(b"[]"),
    "too long": Published(b" " * (BYTES_MAX + 1)),
    "nested": Published(b"[" * 60_000),
    "nested inside": Published(b'{"keys": ' + b"[" * 60_000),
    "no bytes of text": Published(b"\xff\xfe\x00"),
    "keys are numbers": Published(b'{"keys": [1]}'),
    "keys are null": Published(b'{"keys": [null]}'),
    "no x": Published(ed25519()),
    "x is a number": Published(ed25519(x=5)),
    "x is short": Published(ed25519(x="AAAA")),
    "x is no base64": Published(ed25519(x="!!\u00e9")),
    "kid is a list": Published(ed25519(x=new_key().as_dict(private=False)["x"], kid=[7])),
    "use is unknown": Published(ed25519(x=new_key().as_dict(private=False)["x"], use="sgi", key_ops=["verify"])),
    "no http": Published(raw=b"garbage\r\n\r\n"),
    "ssh": Published(raw=b"SSH-2.0-OpenSSH_9\r\n"),
    "cut": Published(raw=b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"keys"'),
    "a chunk cut": Published(raw=b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n{"keys"'),
    "a long header": Published(raw=b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n"),
    "many headers": Published(raw=b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 150 + b"\r\n"),
}


@pytest.mark.parametrize("case", NO_SET)
async def test_what_is_no_key_set_leaves_the_copy_and_without_one_is_told(
    issuer: Published, tmp_path: Path, case: str
) -> None:
    key = new_key()
    issuer.publish(key)
    keys = mirror(issuer, tmp_path / "old")
    await keys.fetch()
    issuer.body, issuer.status, issuer.raw = NO_SET[case].body, NO_SET[case].status, NO_SET[case].raw
    await keys.fetch()
    await mirror(issuer, tmp_path / "old").fetch()
    assert authenticator(issuer, tmp_path / "old").user(token(key)).subject == "ada"
    missing = await mirror(issuer, tmp_path / "fresh").fetch()
    assert [(url, error.reason) for url, error in missing.items()] == [(issuer.url, "E_JWKS")]
    assert issuer.url in missing[issuer.url].message
    with pytest.raises(Unavailable) as refused:
        authenticator(issuer, tmp_path / "fresh").user(token(key))
    assert refused.value.reason == "E_JWKS"


async def test_an_issuer_that_is_away_at_the_start_is_told_and_asked_until_it_is_there(
    issuer: Published, tmp_path: Path
) -> None:
    told = Told()
    key, clock = new_key(), VirtualClock(SystemClock().now())
    issuer.publish(key)
    issuer.status = 503
    services = Issuer(issuer="corp", jwks=issuer.url, audience=SERVICE_AUDIENCE)
    keys = KeyMirror.of([Issuer(issuer="corp", jwks=issuer.url), services], tmp_path)
    await keys.begin(told)
    running = authenticator(issuer, tmp_path)
    asking = asyncio.create_task(keys.run(clock, told))
    try:
        with pytest.raises(Unavailable):
            running.user(token(key))
        issuer.status = 200

        def is_there() -> bool:
            clock.advance(AGAIN_S)
            return told.notes[-1][1] == ""

        await until(is_there)
        assert not asking.done()
    finally:
        asking.cancel()
    name, detail, vital = told.notes[0]
    assert (name, vital) == (f"issuer {issuer.url}", True)
    assert "HTTPError" in detail
    assert running.user(token(key)).subject == "ada"


async def test_a_copy_that_is_broken_itself_does_not_suffice(issuer: Published, tmp_path: Path) -> None:
    issuer.publish(new_key())
    await mirror(issuer, tmp_path).fetch()
    copy_of(issuer.url, tmp_path).write_bytes(b"\xff")
    issuer.status = 503
    assert set(await mirror(issuer, tmp_path).fetch()) == {issuer.url}
    issuer.status = 200
    await mirror(issuer, tmp_path).fetch()
    assert b"Ed25519" in copy_of(issuer.url, tmp_path).read_bytes()


async def test_a_refresh_outlives_whatever_comes_and_says_how_old_the_copy_is(
    issuer: Published, tmp_path: Path
) -> None:
    out, clock, key = io.StringIO(), VirtualClock(SystemClock().now()), new_key()
    issuer.publish(key)
    keys = mirror(issuer, tmp_path)
    await keys.fetch()
    running = authenticator(issuer, tmp_path)
    copy = copy_of(issuer.url, tmp_path)
    os.utime(copy, (0, 0))
    logs.configure("gateway", stream=out)
    refreshing = asyncio.create_task(keys.run(clock, Told()))

    def left_as_it_was() -> list[dict[str, object]]:
        return [json.loads(line) for line in out.getvalue().splitlines() if "jwks_not_copied" in line]

    async def refreshed() -> None:
        before = len(left_as_it_was())

        def is_over() -> bool:
            clock.advance(REFRESH_S)
            return refreshing.done() or len(left_as_it_was()) > before

        await until(is_over)

    issuer.body = b'{"keys": [null]}'
    await refreshed()
    assert running.user(token(key)).subject == "ada"
    copy.unlink()
    await refreshed()
    assert not refreshing.done()
    assert running.user(token(key)).subject == "ada"
    refreshing.cancel()
    ages = [line["copy_age_s"] for line in left_as_it_was()]
    assert ages[0] == pytest.approx(time.time(), abs=1000)
    assert ages[-1] is None


async def test_a_set_that_says_the_same_makes_its_copy_young_again(issuer: Published, tmp_path: Path) -> None:
    issuer.publish(new_key())
    await mirror(issuer, tmp_path).fetch()
    os.utime(copy_of(issuer.url, tmp_path), (0, 0))
    await mirror(issuer, tmp_path).fetch()
    assert copy_of(issuer.url, tmp_path).stat().st_mtime > 0


@pytest.mark.parametrize("body", [b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA"}]}'])
async def test_a_sound_set_without_keys_withdraws_them(issuer: Published, tmp_path: Path, body: bytes) -> None:
    key = new_key()
    issuer.publish(key)
    keys = mirror(issuer, tmp_path)
    await keys.fetch()
    running = authenticator(issuer, tmp_path)
    assert running.user(token(key)).subject == "ada"
    issuer.body = body
    await keys.fetch()
    for each in (running, authenticator(issuer, tmp_path)):
        with pytest.raises(Unauthenticated) as refused:
            each.user(token(key))
        assert refused.value.reason == "E_TOKEN_SIGNATURE"


async def test_a_broken_key_is_skipped_and_its_material_not_told(issuer: Published, tmp_path: Path) -> None:
    out, key = io.StringIO(), new_key()
    logs.configure("gateway", stream=out)
    broken = {"kty": "OKP", "crv": "Ed25519", "kid": "spare", "x": "c2VjcmV0", "d": "aGlkZGVu"}
    issuer.body = json.dumps({"keys": [None, broken, key.as_dict(private=False)]}).encode()
    await mirror(issuer, tmp_path).fetch()
    assert authenticator(issuer, tmp_path).user(token(key)).subject == "ada"
    assert "spare" in out.getvalue()
    assert "c2VjcmV0" not in out.getvalue()
    assert "aGlkZGVu" not in out.getvalue()


members = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["sig", "verify", "EdDSA"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
GOOD = new_key().as_dict(private=False)
a_key = st.fixed_dictionaries(
    {"kty": st.just("OKP"), "crv": st.just("Ed25519")},
    optional={
        "x": st.just(GOOD["x"]) | members,
        "kid": members,
        "use": members,
        "alg": members,
        "key_ops": members,
        "d": members,
        "x5c": members,
        "more": members,
    },
)


@given(members | st.fixed_dictionaries({"keys": members | st.lists(a_key | members, max_size=3)}))
def test_nothing_in_a_set_escapes_as_another_error(document: object) -> None:
    with suppress(ValueError):
        json.dumps([key.as_dict(private=False) for key in public_keys(json.dumps(document).encode(), "here").keys])


@pytest.mark.parametrize(
    ("start", "asked"),
    [(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", 3), (b"HTTP/1.1 200 OK\r\nX: ", 2)],
    ids=["body", "header"],
)
async def test_an_answer_that_never_ends_is_given_up_and_not_asked_for_twice(
    issuer: Published, tmp_path: Path, start: bytes, asked: int
) -> None:
    """A byte every now and then is no timeout of a socket. Half a header holds the thread, so there must be but one."""
    key = new_key()
    issuer.publish(key)
    await mirror(issuer, tmp_path).fetch()
    issuer.raw, issuer.drips = start, threading.Event()
    keys = KeyMirror.of([Issuer(issuer="corp", jwks=issuer.url)], tmp_path, whole_s=0.3)
    try:
        await keys.fetch()
        await keys.fetch()
        assert len(issuer.asked) <= asked
    finally:
        issuer.drips.set()
    assert authenticator(issuer, tmp_path).user(token(key)).subject == "ada"


async def test_sets_are_fetched_side_by_side(issuer: Published, tmp_path: Path) -> None:
    with published() as other:
        both = threading.Barrier(2, timeout=10)
        for told in (issuer, other):
            told.publish(new_key())
            told.meanwhile = both.wait
        await KeyMirror.of([Issuer(issuer=told.url, jwks=told.url) for told in (issuer, other)], tmp_path).fetch()
        assert copy_of(other.url, tmp_path).exists()


async def test_a_home_that_cannot_be_written_is_named(issuer: Published, tmp_path: Path) -> None:
    issuer.publish(new_key())
    (tmp_path / "keys").write_text("in the way")
    with pytest.raises(InvalidRequest) as refused:
        await mirror(issuer, tmp_path).begin(Told())
    assert refused.value.reason == "E_CONFIG"
    assert [each.field for each in refused.value.violations] == ["mesh.home"]


async def test_a_redirect_is_not_followed(issuer: Published, tmp_path: Path) -> None:
    with published() as elsewhere:
        elsewhere.publish(new_key())
        issuer.status, issuer.location = 302, elsewhere.url
        assert await mirror(issuer, tmp_path).fetch()
        assert elsewhere.asked == []


async def test_the_environments_proxy_is_used_but_not_for_a_set_on_this_machine(
    issuer: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with published() as proxy:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        issuer.publish(new_key())
        await mirror(issuer, tmp_path).fetch()
        assert (issuer.asked, proxy.asked) == (["/jwks"], [])
        assert await KeyMirror.of([Issuer(issuer="corp", jwks="https://id.example/jwks")], tmp_path).fetch()
        assert proxy.asked == ["id.example:443"]


@pytest.mark.parametrize("url", ["https://[bad", "https://id.example:port/jwks"])
def test_what_is_no_url_is_refused_by_the_settings_name(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        load_mesh({"mesh": {"issuers": [{"issuer": "corp", "jwks": url}]}})
    assert refused.value.reason == "E_CONFIG"
    assert [each.field for each in refused.value.violations] == ["mesh.issuers.0.jwks"]


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example/jwks", "http://127.0.0.1@id.example/jwks", "ftp://127.0.0.1/jwks", "file:///etc/passwd",
        "https:///jwks", "://x",
    ],
)  # fmt: skip
def test_a_set_is_never_fetched_in_the_clear_from_afar(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as refused:
        KeyMirror.of([Issuer(issuer="corp", jwks=url)], tmp_path)
    assert refused.value.reason == "E_CONFIG"
