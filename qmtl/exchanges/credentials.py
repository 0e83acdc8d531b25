"""Credentials of an exchange's account, from the environment or a file of its own; never shown, never logged."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qmtl.core.errors import InvalidRequest, NotFound

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_FIELDS = ("api_key", "secret", "password")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key and its secret; `password` where the exchange has a third word. Their text is not in `repr` or `str`."""

    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    password: str = field(default="", repr=False)


NO_CREDENTIALS = Credentials("", "")
"""For what exchanges tell everybody."""


def read_credentials(exchange: str, account: str, environ: Mapping[str, str], folder: Path) -> Credentials:
    """The credentials of an account: QMTL_<EXCHANGE>_<ACCOUNT>_API_KEY, _SECRET and _PASSWORD, else
    `<folder>/<exchange>-<account>.toml` with api_key, secret and password.

    Raises NotFound (E_CREDENTIALS_MISSING) where there are none, InvalidRequest (E_CREDENTIALS_INVALID) for a name, a
    file that others may read, or a part that is missing: half of each source is never mixed.
    """
    for name in (exchange, account):
        if not _NAME.fullmatch(name):
            raise _invalid(f"{name[:80]!r} is no name of an exchange or account")
    prefix = f"QMTL_{exchange}_{account}_".upper().replace("-", "_")
    given = {part: environ[prefix + part.upper()] for part in _FIELDS if environ.get(prefix + part.upper())}
    path = folder / f"{exchange}-{account}.toml"
    return _made(given, prefix) if given else _made(_read(path), str(path))


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise NotFound("E_CREDENTIALS_MISSING", f"no credentials: neither the environment nor {path}")
    if path.stat().st_mode & 0o077:
        raise _invalid(f"{path} may be read by others, want mode 0600")
    try:
        parsed = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise _invalid(f"{path} is no TOML") from None
    if not set(parsed) <= set(_FIELDS) or not all(isinstance(value, str) for value in parsed.values()):
        raise _invalid(f"{path} has more than {', '.join(_FIELDS)}, or one that is no text")
    return parsed


def _made(given: Mapping[str, str], source: str) -> Credentials:
    missing = [part for part in _FIELDS[:2] if not given.get(part)]
    if missing:
        raise _invalid(f"{source} lacks {' and '.join(missing)}")
    return Credentials(given["api_key"], given["secret"], given.get("password", ""))


def _invalid(text: str) -> InvalidRequest:
    return InvalidRequest("E_CREDENTIALS_INVALID", text)
