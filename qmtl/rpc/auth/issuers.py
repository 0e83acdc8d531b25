"""Public keys of token issuers, read from files and read again when these change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from qmtl.core.errors import Unauthenticated, Unavailable
from qmtl.rpc.auth.keys import keys_folder

log: Final = structlog.stdlib.get_logger("qmtl.rpc.auth")


class KeyFile:
    """An issuer's public keys, read again whenever the file changes; a broken rewrite keeps the old keys.

    `url`: where the file is copied from.
    """

    def __init__(self, path: Path, url: str = "") -> None:
        self.path = path
        self._url = url
        self.generation = 0
        self._stamp: tuple[int, int, int] | None = None
        self._raw: bytes | None = None  # what the keys were read from; None while there was nothing good
        self._keys = KeySet([])
        self._trouble = ""

    def keys(self) -> KeySet:
        """The keys of the newest good state.

        Before the first one: raises Unavailable (E_JWKS) where a copy is to come, else Unauthenticated
        (E_TOKEN_ISSUER).
        """
        try:
            self._look()
        except (OSError, ValueError) as error:
            if str(error) != self._trouble:  # a line for each trouble, not for each call that meets it
                self._trouble = str(error)
                log.warning("keys_not_read", path=str(self.path), error=self._trouble, kept=len(self._keys.keys))
        if self._raw is None and self._url:
            raise Unavailable("E_JWKS", f"no keys of the issuer yet: {self._url} is asked again", retry_after_s=1.0)
        if self._raw is None:
            raise Unauthenticated("E_TOKEN_ISSUER", "the issuer's keys cannot be read")
        return self._keys

    def _look(self) -> None:
        """Read what is new. Raises OSError, ValueError; a broken state is looked into once."""
        stat = self.path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if stamp == self._stamp:
            return
        raw = self.path.read_bytes()
        self._stamp = stamp
        if raw != self._raw:
            self._keys = public_keys(raw, str(self.path))
            self._raw = raw
            self.generation += 1
        self._trouble = ""


def copy_of(url: str, home: Path) -> Path:
    """Where the copy of a key set is that an issuer publishes at a URL; see key_mirror.py."""
    return keys_folder(home) / f"jwks-{hashlib.blake2s(url.encode(), digest_size=8).hexdigest()}.json"


def public_keys(raw: bytes, source: str) -> KeySet:
    """Ed25519 public keys of a set; another type is of no use here and must not be tried.

    A broken key is skipped and logged, so that it does not spoil the others. Raises ValueError for what is no set, and
    for one whose keys are all broken; a set without keys is one by which its issuer withdraws them.
    """
    try:
        document = json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("no JWKS document")
    wanted = [key for key in document["keys"] if not isinstance(key, dict) or _is_ed25519(key)]
    keys = [key for key in (_public_key(each, source) for each in wanted) if key is not None]
    if wanted and not keys:
        raise ValueError(f"none of its {len(wanted)} keys can be read")
    return KeySet([*keys])


def _is_ed25519(key: Mapping[str, object]) -> bool:
    return key.get("kty") == "OKP" and key.get("crv") == "Ed25519"


def _public_key(given: object, source: str) -> OKPKey | None:
    """One key; None for a broken one, of which only its name goes into the log."""
    if not isinstance(given, dict):
        log.warning("key_skipped", source=source, error=f"{type(given).__name__}, want an object")
        return None
    try:
        return OKPKey.import_key({name: value for name, value in given.items() if name != "d"})
    except (JoseError, ValueError, TypeError, LookupError) as error:  # the latter two: members of a wrong type
        log.warning("key_skipped", source=source, kid=repr(given.get("kid"))[:80], error=type(error).__name__)
        return None
