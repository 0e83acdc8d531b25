"""Verification of tokens: who a caller is, proved by an EdDSA-signed JWT of a configured issuer.

Two audiences never mix: "qmtl" tokens name users, "qmtl-service" tokens name services. The algorithm is
fixed here, not read from the token, so neither `none` nor an HMAC over a public key is ever tried.
Key files are read again when they change; nothing here decides what a caller may do.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import KeySet

from qmtl.config.settings import Issuer, ServiceSettings
from qmtl.core.clock import Clock, SystemClock
from qmtl.core.errors import InvalidRequest, Unauthenticated
from qmtl.core.roles import Role
from qmtl.rpc.auth.identity import Identity, ServiceIdentity
from qmtl.rpc.auth.issuers import KeyFile, copy_of
from qmtl.rpc.auth.keys import (
    ALGORITHM,
    REGISTRY,
    SERVICE_AUDIENCE,
    USER_AUDIENCE,
    dev_issuers,
    ensure_dev_keys,
)
from qmtl.rpc.status import SERVICE_TOKEN, TOKEN_OF
from qmtl.rpc.steady import SteadyClock

LEEWAY_S: Final = 30
TOKEN_BYTES_MAX: Final = 8192
VERIFIED_MAX: Final = 1024
SUBJECT_MAX: Final = 256
INSTANT_S_MAX: Final = 2**53


@dataclass(frozen=True, slots=True)
class _Claims:
    subject: str
    role: Role
    worlds: frozenset[str] | None
    expires_at: float
    not_before: float
    issued_at: float


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token's claims, and with which state of which key file they were verified."""

    claims: _Claims
    file: KeyFile
    generation: int
    jumps: int  # of the wall clock, up to when it was verified


class Authenticator:
    """Turns tokens into identities; the errors say which of the things that can be wrong with a token is."""

    def __init__(
        self, issuers: Iterable[Issuer], clock: Clock, *, home: Path | None = None, leeway_s: int = LEEWAY_S
    ) -> None:
        """`home`: where the copies of key sets lie that issuers publish at a URL."""
        self._clock = clock
        self._leeway_s = leeway_s
        files: dict[str, KeyFile] = {}
        self._issuers: dict[tuple[str, str], KeyFile] = {}
        self._verified: OrderedDict[tuple[str, str], _Verified] = OrderedDict()
        for issuer in issuers:
            file = files.setdefault(issuer.jwks, _key_file(issuer.jwks, home))
            self._issuers[issuer.issuer, issuer.audience] = file

    @classmethod
    def from_settings(cls, settings: ServiceSettings, clock: Clock | None = None) -> Authenticator:
        """The configured issuers; in profile dev without any, the local one, whose keys are made if absent."""
        mesh = settings.mesh
        if mesh.issuers:
            return cls(mesh.issuers, clock or SystemClock(), home=mesh.home)
        if mesh.profile != "dev":
            raise InvalidRequest("E_CONFIG", "mesh.issuers is empty, want at least one issuer in profile prod")
        ensure_dev_keys(mesh.home)
        return cls(dev_issuers(mesh.home), clock or SystemClock())

    def user(self, token: str) -> Identity:
        """Verify a user token. Raises Unauthenticated (E_TOKEN_*), Unavailable (E_JWKS: no keys of its issuer yet)."""
        claims = self._verify(token, USER_AUDIENCE)
        return Identity(claims.subject, claims.role, claims.worlds, token)

    def service(self, token: str) -> ServiceIdentity:
        """Verify a service token. Raises Unauthenticated (E_TOKEN_*), whose metadata say that it is a service's."""
        try:
            subject = self._verify(token, SERVICE_AUDIENCE).subject
            kind, _, name = subject.partition(":")
            if kind != "service" or not name:
                raise _bad("E_TOKEN_CLAIMS", "claim sub is not service:<name>")
        except Unauthenticated as error:
            error.metadata[TOKEN_OF] = SERVICE_TOKEN
            raise
        return ServiceIdentity(name)

    def service_token_ends(self, token: str, name: str) -> datetime:
        """When a service's own token ends. Raises Unauthenticated (E_TOKEN_*) for one its peers would refuse."""
        found = self.service(token)
        if found.name != name:
            raise _bad("E_TOKEN_CLAIMS", f"the token is of service {found.name}, want {name}")
        return datetime.fromtimestamp(self._verify(token, SERVICE_AUDIENCE).expires_at, UTC)

    def _verify(self, token: str, audience: str) -> _Claims:
        known = self._known(token, audience)
        claims, now, wall = known.claims, self._clock.now().timestamp(), self._wall()
        if (wall if self._is_new(known, wall) else now) >= claims.expires_at + self._leeway_s:
            raise _bad("E_TOKEN_EXPIRED", "the token has expired", hint="get a new one: qmtl token")
        if max(now, wall) < claims.not_before - self._leeway_s:
            raise _bad("E_TOKEN_NOT_YET_VALID", "the token is not valid yet", hint="compare the clocks")
        return claims

    def _wall(self) -> float:
        """What the machine says the time is; the service's own time goes on evenly where that was set."""
        return (self._clock.wall() if isinstance(self._clock, SteadyClock) else self._clock.now()).timestamp()

    def _is_new(self, known: _Verified, wall: float) -> bool:
        """Whether it was issued by the time the wall clock was set to: only then may that time extend or end it."""
        if not isinstance(self._clock, SteadyClock) or (jump := self._clock.last_jump) is None:
            return False
        since = jump.after.timestamp() - self._leeway_s
        return known.jumps == self._clock.jumps and since <= known.claims.issued_at <= wall + self._leeway_s

    def _jumps(self) -> int:
        return self._clock.jumps if isinstance(self._clock, SteadyClock) else 0

    def _known(self, token: str, audience: str) -> _Verified:
        """The claims of a token; verified once for each state of its issuer's keys."""
        seen = self._verified.get((audience, token))
        if seen is not None:
            seen.file.keys()
            if seen.generation == seen.file.generation:
                return seen
        file = self._file_of(token, audience)
        claims = _checked_claims(verified(token, file.keys()))
        jumps = self._jumps() if seen is None else seen.jumps
        known = self._verified[audience, token] = _Verified(claims, file, file.generation, jumps)
        while len(self._verified) > VERIFIED_MAX:
            self._verified.popitem(last=False)
        return known

    def _file_of(self, token: str, audience: str) -> KeyFile:
        """The key file by the token's unverified issuer and audience: it only picks what to verify against."""
        if len(token) > TOKEN_BYTES_MAX:
            raise _bad("E_TOKEN_MALFORMED", f"the token is longer than {TOKEN_BYTES_MAX} bytes")
        payload = _unverified_payload(token)
        issuer, named = payload.get("iss"), payload.get("aud")
        audiences = named if isinstance(named, list) else [named]
        if audience not in audiences:
            raise _bad("E_TOKEN_AUDIENCE", f"the token is not for audience {audience}", hint=_AUDIENCE_HINTS[audience])
        file = self._issuers.get((issuer, audience)) if isinstance(issuer, str) else None
        if file is None:
            raise _bad("E_TOKEN_ISSUER", f"the token's issuer is not trusted for audience {audience}")
        return file


_AUDIENCE_HINTS: Final[Mapping[str, str]] = {
    USER_AUDIENCE: "user tokens go into authorization, service tokens into x-qmtl-service",
    SERVICE_AUDIENCE: "service tokens go into x-qmtl-service, user tokens into authorization",
}


def _key_file(jwks: str, home: Path | None) -> KeyFile:
    if "://" not in jwks:
        return KeyFile(Path(jwks))
    if home is None:
        raise InvalidRequest("E_CONFIG", f"jwks is {jwks!r}, want the path of its copy")
    return KeyFile(copy_of(jwks, home), jwks)


def _bad(reason: str, message: str, hint: str = "") -> Unauthenticated:
    return Unauthenticated(reason, message, hint=hint)


def _unverified_payload(token: str) -> dict[str, object]:
    try:
        payload = json.loads(jws.extract_compact(token.encode(), registry=REGISTRY).payload)
    except (JoseError, ValueError, RecursionError):  # the last of a payload that is nested without end
        raise _bad("E_TOKEN_MALFORMED", "the token is not a JWT") from None
    if not isinstance(payload, dict):
        raise _bad("E_TOKEN_MALFORMED", "the token's payload is not an object")
    return payload


def verified(token: str, keys: KeySet) -> dict[str, object]:
    """The claims of a token one of the keys signed with EdDSA. Raises Unauthenticated (E_TOKEN_SIGNATURE)."""
    try:
        return jwt.decode(token, keys, registry=REGISTRY).claims
    except UnsupportedAlgorithmError:
        raise _bad("E_TOKEN_SIGNATURE", f"the token is not signed with {ALGORITHM}") from None
    except BadSignatureError:
        raise _bad("E_TOKEN_SIGNATURE", "the token's signature is wrong") from None
    except (JoseError, ValueError):
        raise _bad("E_TOKEN_SIGNATURE", "no known key of the issuer verifies the token") from None


def _checked_claims(claims: Mapping[str, object]) -> _Claims:
    subject, worlds = claims.get("sub"), claims.get("worlds")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MAX or not subject.isprintable():
        raise _bad("E_TOKEN_CLAIMS", f"claim sub is not 1 to {SUBJECT_MAX} printable characters")
    if "worlds" in claims and not (isinstance(worlds, list) and all(isinstance(item, str) for item in worlds)):
        raise _bad("E_TOKEN_CLAIMS", "claim worlds is not a list of world ids")
    return _Claims(
        subject,
        _role(claims.get("role")),
        frozenset(worlds) if isinstance(worlds, list) else None,
        _instant(claims, "exp", required=True),
        _instant(claims, "nbf", required=False),
        _instant(claims, "iat", required=False),
    )


def _role(name: object) -> Role:
    if name is None:
        return Role.NONE
    known = {role.name.lower(): role for role in Role}
    if not isinstance(name, str) or name not in known:
        raise _bad("E_TOKEN_CLAIMS", f"claim role is not one of {', '.join(known)}")
    return known[name]


def _instant(claims: Mapping[str, object], name: str, *, required: bool) -> float:
    value = claims.get(name)
    if value is None and not required:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= INSTANT_S_MAX:  # nor NaN
        raise _bad("E_TOKEN_CLAIMS", f"claim {name} is not a number of seconds")
    return float(value)
