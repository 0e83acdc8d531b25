"""Tokens of the dev profile's issuer: minted for users and services, kept in files below the home directory."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import OKPKey

from qmtl.config.files import write_private
from qmtl.core.clock import Clock, SystemClock
from qmtl.core.errors import Unauthenticated
from qmtl.core.roles import Role
from qmtl.rpc.auth.identity import TokenSource
from qmtl.rpc.auth.keys import (
    ALGORITHM,
    DEV_ISSUER,
    REGISTRY,
    SERVICE_AUDIENCE,
    USER_AUDIENCE,
    dev_issuers,
    ensure_dev_keys,
    issuer_key,
)
from qmtl.rpc.auth.verification import Authenticator


def mint(key: OKPKey, claims: Mapping[str, object]) -> str:
    """Sign claims as they are; the callers below fill in issuer, audience and times."""
    key.ensure_kid()
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, dict(claims), key, registry=REGISTRY)


def mint_user_token(
    home: Path,
    role: Role,
    subject: str,
    worlds: Iterable[str] | None = None,
    ttl: timedelta = timedelta(days=1),
    clock: Clock | None = None,
) -> str:
    """A user token of the local issuer, limited to `worlds` if given."""
    claims: dict[str, object] = {"sub": subject, "aud": USER_AUDIENCE, "role": role.name.lower()}
    if worlds is not None:
        claims["worlds"] = sorted(worlds)
    return _mint_dev(home, claims, ttl, clock)


def mint_service_token(home: Path, name: str, ttl: timedelta = timedelta(days=30), clock: Clock | None = None) -> str:
    """A service token of the local issuer."""
    return _mint_dev(home, {"sub": f"service:{name}", "aud": SERVICE_AUDIENCE}, ttl, clock)


def service_token_path(home: Path, name: str) -> Path:
    """Where a service finds its token; it may be rewritten while the service runs."""
    return home / "tokens" / f"service-{name}.jwt"


def ensure_service_token(home: Path, name: str, ttl: timedelta = timedelta(days=30)) -> Path:
    """Dev only: a token file for a service unless one with more than half its life left is there."""
    ensure_dev_keys(home)
    path = service_token_path(home, name)
    authenticator = Authenticator(dev_issuers(home), _Later(ttl / 2))
    try:
        authenticator.service(path.read_text().strip())
    except (OSError, Unauthenticated):
        write_private(path, mint_service_token(home, name, ttl))
    return path


def file_token(path: Path) -> TokenSource:
    """A token kept in a file, read again when the file changes. Raises Unauthenticated (E_TOKEN_MISSING) in use."""
    cached: tuple[tuple[int, int, int], str] | None = None

    def read() -> str:
        nonlocal cached
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if cached is None or cached[0] != stamp:
                cached = (stamp, path.read_text(encoding="ascii").strip())
        except OSError as error:
            raise Unauthenticated("E_TOKEN_MISSING", f"token file {path}: {error.strerror}") from None
        return cached[1]

    return read


class _Later(SystemClock):
    """The machine's clock, ahead: what is valid on it is valid for that long still."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return super().now() + self._ahead


def _mint_dev(home: Path, claims: dict[str, object], ttl: timedelta, clock: Clock | None) -> str:
    now = (clock or SystemClock()).now()
    times = {"iat": int(now.timestamp()), "nbf": int(now.timestamp()), "exp": int((now + ttl).timestamp())}
    return mint(issuer_key(home), {"iss": DEV_ISSUER, **claims, **times, "jti": secrets.token_hex(8)})
