"""Tokens: every way one can be wrong has its own reason, and no way around the signature works."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from qmtl.config.files import write_private
from qmtl.config.settings import Issuer, MeshSettings, ServiceSettings
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import InvalidRequest, Unauthenticated
from qmtl.core.roles import Role
from qmtl.rpc.auth.keys import DEV_ISSUER, REGISTRY, dev_issuers, ensure_dev_keys, rotate_dev_key
from qmtl.rpc.auth.tokens import (
    ensure_service_token,
    file_token,
    mint,
    mint_service_token,
    mint_user_token,
    service_token_path,
)
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.steady import SteadyClock
from qmtl.rpc.telemetry import logs
from tests.support.clocks import SetMachine

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def authenticator(home: Path, clock: VirtualClock) -> Authenticator:
    return Authenticator(dev_issuers(home), clock)


def dev_key(home: Path) -> OKPKey:
    return OKPKey.import_key(json.loads((home / "keys" / "issuer.jwk").read_text()))


def claims(**changes: Any) -> dict[str, Any]:
    base = {
        "iss": DEV_ISSUER,
        "aud": "qmtl",
        "sub": "alice",
        "role": "operator",
        "nbf": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 600,
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def encode(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def reason_of(authenticator: Authenticator, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        authenticator.user(token)
    assert token[:40] not in str(caught.value)
    return caught.value.reason


def test_a_good_user_token_tells_who_and_what(home: Path, authenticator: Authenticator, clock: VirtualClock) -> None:
    token = mint_user_token(home, Role.OWNER, "bob", ["w1", "w2"], clock=clock)
    identity = authenticator.user(token)
    assert (identity.subject, identity.role, identity.worlds) == ("bob", Role.OWNER, frozenset({"w1", "w2"}))
    assert identity.token == token
    assert token not in repr(identity)


def test_a_good_service_token_tells_its_name(home: Path, authenticator: Authenticator, clock: VirtualClock) -> None:
    assert authenticator.service(mint_service_token(home, "gateway", clock=clock)).name == "gateway"


def test_worlds_that_are_null_are_refused_not_taken_for_all(home: Path, authenticator: Authenticator) -> None:
    assert reason_of(authenticator, mint(dev_key(home), {**claims(), "worlds": None})) == "E_TOKEN_CLAIMS"


def test_a_token_without_a_role_has_none(home: Path, authenticator: Authenticator) -> None:
    assert authenticator.user(mint(dev_key(home), claims(role=None))).role is Role.NONE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": int(NOW.timestamp()) - 31}, "E_TOKEN_EXPIRED"),
        ({"nbf": int(NOW.timestamp()) + 31}, "E_TOKEN_NOT_YET_VALID"),
        ({"exp": None}, "E_TOKEN_CLAIMS"),
        ({"exp": "tomorrow"}, "E_TOKEN_CLAIMS"),
        ({"exp": True}, "E_TOKEN_CLAIMS"),
        ({"sub": None}, "E_TOKEN_CLAIMS"),
        ({"sub": ""}, "E_TOKEN_CLAIMS"),
        ({"role": "emperor"}, "E_TOKEN_CLAIMS"),
        ({"role": 3}, "E_TOKEN_CLAIMS"),
        ({"worlds": "w1"}, "E_TOKEN_CLAIMS"),
        ({"worlds": [1]}, "E_TOKEN_CLAIMS"),
        ({"exp": float("inf")}, "E_TOKEN_CLAIMS"),
        ({"exp": float("nan")}, "E_TOKEN_CLAIMS"),
        ({"exp": 10**400}, "E_TOKEN_CLAIMS"),
        ({"nbf": 10**400}, "E_TOKEN_CLAIMS"),
        ({"nbf": -(10**400)}, "E_TOKEN_CLAIMS"),
        ({"sub": "ann\n"}, "E_TOKEN_CLAIMS"),
        ({"sub": "a" * 257}, "E_TOKEN_CLAIMS"),
        ({"aud": "qmtl-service"}, "E_TOKEN_AUDIENCE"),
        ({"aud": "another"}, "E_TOKEN_AUDIENCE"),
        ({"aud": None}, "E_TOKEN_AUDIENCE"),
        ({"iss": "evil"}, "E_TOKEN_ISSUER"),
        ({"iss": None}, "E_TOKEN_ISSUER"),
        ({"iss": ["qmtl-dev"]}, "E_TOKEN_ISSUER"),
    ],
)
def test_each_wrong_claim_has_its_reason(
    home: Path, authenticator: Authenticator, changes: dict[str, Any], reason: str
) -> None:
    assert reason_of(authenticator, mint(dev_key(home), claims(**changes))) == reason


def test_a_lone_surrogate_is_no_subject(home: Path, authenticator: Authenticator) -> None:
    key = dev_key(home)
    payload = json.dumps(claims(sub="ann\ud800")).encode()  # escaped, as a foreign issuer may write it
    token = jws.serialize_compact({"alg": "EdDSA", "kid": key.kid}, payload, key, registry=REGISTRY)
    assert reason_of(authenticator, token) == "E_TOKEN_CLAIMS"


def test_a_little_clock_skew_is_forgiven(home: Path, authenticator: Authenticator) -> None:
    now = int(NOW.timestamp())
    for changes in ({"exp": now - 29}, {"nbf": now + 29}):
        assert authenticator.user(mint(dev_key(home), claims(**changes))).subject == "alice"


def test_a_token_seen_before_still_expires(home: Path, authenticator: Authenticator, clock: VirtualClock) -> None:
    token = mint(dev_key(home), claims())
    assert authenticator.user(token).subject == "alice"
    clock.advance(700)
    assert reason_of(authenticator, token) == "E_TOKEN_EXPIRED"


@pytest.mark.parametrize("audience", [["qmtl"], ["other", "qmtl"]])
def test_an_audience_may_be_a_list(home: Path, authenticator: Authenticator, audience: list[str]) -> None:
    assert authenticator.user(mint(dev_key(home), claims(aud=audience))).subject == "alice"


def test_an_unsigned_token_is_refused(authenticator: Authenticator) -> None:
    token = f"{encode({'alg': 'none'})}.{encode(claims())}."
    assert reason_of(authenticator, token) == "E_TOKEN_SIGNATURE"


def test_a_public_key_used_as_an_hmac_secret_is_refused(home: Path, authenticator: Authenticator) -> None:
    public = json.loads((home / "keys" / "jwks.json").read_text())["keys"][0]
    for secret in (public["x"].encode(), json.dumps(public).encode(), dev_key(home).as_pem(private=False)):
        body = f"{encode({'alg': 'HS256', 'kid': public['kid']})}.{encode(claims())}"
        signature = hmac.new(secret, body.encode(), hashlib.sha256).digest()
        assert reason_of(authenticator, f"{body}.{encode(signature)}") == "E_TOKEN_SIGNATURE"


def test_another_key_under_our_kid_is_refused(home: Path, authenticator: Authenticator) -> None:
    forged = OKPKey.generate_key("Ed25519", {"kid": str(dev_key(home).kid)})
    assert reason_of(authenticator, mint(forged, claims())) == "E_TOKEN_SIGNATURE"


def test_an_unknown_kid_is_refused(authenticator: Authenticator) -> None:
    assert reason_of(authenticator, mint(OKPKey.generate_key("Ed25519"), claims())) == "E_TOKEN_SIGNATURE"


def test_a_key_in_the_header_is_not_believed(authenticator: Authenticator) -> None:
    own = OKPKey.generate_key("Ed25519", {"kid": "mine"})
    header = {"alg": "EdDSA", "kid": "mine", "jwk": own.as_dict(private=False)}
    body = f"{encode(header)}.{encode(claims())}"
    signature = own.private_key.sign(body.encode())  # type: ignore[union-attr]  # this key is private
    assert reason_of(authenticator, f"{body}.{encode(signature)}") == "E_TOKEN_SIGNATURE"


def test_claims_changed_after_signing_are_refused(home: Path, authenticator: Authenticator) -> None:
    header, _, signature = mint(dev_key(home), claims(role="reader")).split(".")
    assert reason_of(authenticator, f"{header}.{encode(claims(role='owner'))}.{signature}") == "E_TOKEN_SIGNATURE"


NESTED = base64.urlsafe_b64encode(b"[" * 1000).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        *("x", "a.b", "a.b.c", "..", "é.é.é", f"{encode({})}.{encode([])}.", "x" * 9000),
        *(f"{encode({'alg': 'none'})}.{NESTED}.", f"{NESTED}.{NESTED}.{NESTED}"),
    ],
)
def test_what_is_no_token_is_said_to_be_none(authenticator: Authenticator, token: str) -> None:
    assert reason_of(authenticator, token) == "E_TOKEN_MALFORMED"


def test_a_user_token_is_no_service_token_and_the_reverse(
    home: Path, authenticator: Authenticator, clock: VirtualClock
) -> None:
    with pytest.raises(Unauthenticated) as caught:
        authenticator.service(mint_user_token(home, Role.OWNER, "service:gateway", clock=clock))
    assert caught.value.reason == "E_TOKEN_AUDIENCE"
    assert reason_of(authenticator, mint_service_token(home, "gateway", clock=clock)) == "E_TOKEN_AUDIENCE"


def test_a_service_audience_without_a_service_subject_is_refused(home: Path, authenticator: Authenticator) -> None:
    for subject in ("alice", "service:", "user:gateway"):
        with pytest.raises(Unauthenticated) as caught:
            authenticator.service(mint(dev_key(home), claims(aud="qmtl-service", sub=subject)))
        assert caught.value.reason == "E_TOKEN_CLAIMS"


def test_an_issuer_of_users_cannot_make_services(tmp_path: Path, clock: VirtualClock) -> None:
    key = OKPKey.generate_key("Ed25519", {"kid": "corp-1"})
    jwks = tmp_path / "corp.json"
    jwks.write_text(json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0"}, key.as_dict(private=False)]}))
    both = Authenticator([Issuer(issuer="corp", jwks=str(jwks), audience="qmtl"), *dev_issuers(tmp_path)], clock)
    assert both.user(mint(key, claims(iss="corp"))).subject == "alice"
    with pytest.raises(Unauthenticated) as caught:
        both.service(mint(key, claims(iss="corp", aud="qmtl-service", sub="service:gateway")))
    assert caught.value.reason == "E_TOKEN_ISSUER"


def test_rotation_keeps_tokens_of_the_previous_key(
    home: Path, authenticator: Authenticator, clock: VirtualClock
) -> None:
    old = mint_user_token(home, Role.READER, "alice", clock=clock)
    assert authenticator.user(old).subject == "alice"
    rotate_dev_key(home)
    new = mint_user_token(home, Role.READER, "alice", clock=clock)
    assert authenticator.user(new).subject == "alice"
    assert authenticator.user(old).subject == "alice"
    rotate_dev_key(home)
    assert authenticator.user(new).subject == "alice"
    assert reason_of(authenticator, old) == "E_TOKEN_SIGNATURE"


def test_a_broken_rewrite_of_the_keys_keeps_the_old_ones(
    home: Path, authenticator: Authenticator, clock: VirtualClock
) -> None:
    token = mint_user_token(home, Role.READER, "alice", clock=clock)
    assert authenticator.user(token).subject == "alice"
    write_private(home / "keys" / "jwks.json", "{")
    assert authenticator.user(token).subject == "alice"
    assert authenticator.user(mint_user_token(home, Role.READER, "bob", clock=clock)).subject == "bob"


@pytest.mark.parametrize(
    "broken",
    [
        b"{",
        b"[" * 60_000,
        b'{"keys": [1]}',
        b'{"keys": [null]}',
        b'{"keys": [{"kty": "OKP", "crv": "Ed25519"}]}',
        b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": 5}]}',
    ],
)
def test_a_file_broken_in_any_way_is_said_once_and_keeps_the_old_keys(
    home: Path, authenticator: Authenticator, clock: VirtualClock, broken: bytes
) -> None:
    out, path = io.StringIO(), home / "keys" / "jwks.json"
    logs.configure("gateway", stream=out)
    token, good = mint_user_token(home, Role.READER, "alice", clock=clock), path.read_bytes()
    path.write_bytes(broken)
    assert reason_of(authenticator, token) == reason_of(authenticator, token) == "E_TOKEN_ISSUER"
    path.write_bytes(good)
    assert authenticator.user(token).subject == "alice"
    path.write_bytes(broken)
    for name in ("alice", "bob", "carol"):
        assert authenticator.user(mint_user_token(home, Role.READER, name, clock=clock)).subject == name
    assert out.getvalue().count("keys_not_read") == 2


def test_a_broken_key_of_a_file_does_not_spoil_the_others(
    home: Path, authenticator: Authenticator, clock: VirtualClock
) -> None:
    path = home / "keys" / "jwks.json"
    good = json.loads(path.read_text())["keys"][0]
    path.write_text(json.dumps({"keys": [7, {**good, "x": "c2VjcmV0"}, good]}))
    assert authenticator.user(mint_user_token(home, Role.READER, "alice", clock=clock)).subject == "alice"


def test_missing_keys_refuse_everyone(tmp_path: Path, home: Path, clock: VirtualClock) -> None:
    issuer = Issuer(issuer=DEV_ISSUER, jwks=str(tmp_path / "nowhere.json"))
    assert reason_of(Authenticator([issuer], clock), mint(dev_key(home), claims())) == "E_TOKEN_ISSUER"


def test_a_jwks_url_is_no_file(clock: VirtualClock) -> None:
    with pytest.raises(InvalidRequest, match="want the path of its copy"):
        Authenticator([Issuer(issuer="corp", jwks="https://id.example/jwks")], clock)


def test_keys_and_tokens_are_private_files(home: Path) -> None:
    ensure_service_token(home, "gateway")
    for path in (home / "keys" / "issuer.jwk", service_token_path(home, "gateway")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    public = json.loads((home / "keys" / "jwks.json").read_text())["keys"]
    assert all("d" not in key for key in public)


def test_many_processes_starting_at_once_agree_on_one_key(tmp_path: Path) -> None:
    barrier, tokens = threading.Barrier(8), list[str]()

    def start() -> None:
        barrier.wait()
        ensure_dev_keys(tmp_path)
        tokens.append(mint_user_token(tmp_path, Role.READER, "alice"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settings = ServiceSettings(service="gateway", mesh=MeshSettings(home=tmp_path))
    authenticator = Authenticator.from_settings(settings)
    assert [authenticator.user(token).subject for token in tokens] == ["alice"] * 8
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["issuer.jwk", "jwks.json"]


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "t.jwt"
    source = file_token(path)
    with pytest.raises(Unauthenticated) as caught:
        source()
    assert caught.value.reason == "E_TOKEN_MISSING"
    write_private(path, "one\n")
    assert source() == "one"
    write_private(path, "two\n")
    assert source() == "two"
    path.write_text("six\n")
    os.utime(path, ns=(1, 1))
    assert source() == "six"


def test_a_service_token_is_renewed_at_half_its_life(home: Path) -> None:
    path = ensure_service_token(home, "gateway", timedelta(hours=2))
    first = path.read_text()
    assert ensure_service_token(home, "gateway", timedelta(hours=2)).read_text() == first
    write_private(path, mint_service_token(home, "gateway", timedelta(minutes=59)))
    stale = path.read_text()
    assert ensure_service_token(home, "gateway", timedelta(hours=2)).read_text() not in (first, stale)


@pytest.mark.parametrize("by_s", [-3600, -20, 20, 3600, 20 * 3600])
def test_a_clock_that_is_set_refuses_no_token_of_before_or_after_and_revives_none(home: Path, by_s: int) -> None:
    machine = SetMachine(NOW)
    authenticator = Authenticator(dev_issuers(home), SteadyClock(machine))
    held = mint_user_token(home, Role.OPERATOR, "ann", ttl=timedelta(minutes=10), clock=machine)
    unseen = mint_user_token(home, Role.OPERATOR, "bob", ttl=timedelta(minutes=10), clock=machine)
    ended = mint_user_token(home, Role.OPERATOR, "eve", ttl=timedelta(minutes=1), clock=machine)
    late = mint_user_token(home, Role.OPERATOR, "zoe", ttl=timedelta(minutes=1), clock=machine)
    assert authenticator.user(held).subject == "ann"
    assert authenticator.user(ended).subject == "eve"
    machine.advance(120)
    assert reason_of(authenticator, ended) == "E_TOKEN_EXPIRED"
    machine.set_by(by_s)
    assert authenticator.user(held).subject == "ann"
    assert authenticator.user(unseen).subject == "bob"
    assert reason_of(authenticator, ended) == "E_TOKEN_EXPIRED"
    assert reason_of(authenticator, late) == "E_TOKEN_EXPIRED"
    fresh = mint_user_token(home, Role.OPERATOR, "dan", ttl=timedelta(minutes=1), clock=machine)
    assert authenticator.user(fresh).subject == "dan"
    machine.advance(120)
    assert reason_of(authenticator, fresh) == "E_TOKEN_EXPIRED"
    machine.advance(600)
    assert reason_of(authenticator, held) == "E_TOKEN_EXPIRED"
