"""Key sets of issuers that publish them at a URL, mirrored into files that the authenticator reads.

A process starts with the keys it can fetch, or with the copy of an earlier day; without either it refuses to start.
Afterwards a set that cannot be fetched or read leaves the copy as it is: an issuer's outage signs nobody out.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

import structlog

from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, Unavailable
from qmtl.core.settings import Issuer
from qmtl.rpc.auth import copy_of, public_keys, write_private
from qmtl.rpc.tls import is_loopback

REFRESH_S: Final = 60.0
TIMEOUT_S: Final = 5.0
BYTES_MAX: Final = 64 * 1024
log: Final = structlog.stdlib.get_logger("qmtl.rpc.jwks")


@dataclass(frozen=True, slots=True)
class KeyMirror:
    """Where each issuer's key set comes from, and the home its copies are kept in."""

    urls: tuple[str, ...]
    home: Path

    @classmethod
    def of(cls, issuers: Iterable[Issuer], home: Path) -> KeyMirror:
        """The mirror of the issuers that have a URL. Raises InvalidRequest (E_CONFIG) for one that is not safe."""
        urls = sorted({issuer.jwks for issuer in issuers if "://" in issuer.jwks})
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(f"{parts.hostname}:80")):
                raise InvalidRequest("E_CONFIG", f"mesh.issuers: jwks is {url!r}, want https, or a path")
        return cls(tuple(urls), home)

    async def fetch(self) -> None:
        """Copy every set now. Raises Unavailable (E_JWKS) for one that cannot be had and was never copied."""
        for url in self.urls:
            try:
                await asyncio.to_thread(self._copy, url)
            except (OSError, ValueError) as error:
                if not copy_of(url, self.home).exists():
                    raise Unavailable("E_JWKS", f"mesh.issuers: {url} gives no keys: {error}") from None
                log.warning("jwks_not_fetched", url=url, error=str(error))

    async def run(self, clock: Clock) -> None:
        """Copy what changed, for ever."""
        while True:
            await clock.sleep(REFRESH_S)
            await self.fetch()

    def _copy(self, url: str) -> None:
        """Raises OSError, ValueError (no JSON, no Ed25519 key, too long); the copy is replaced in one step."""
        raw = _get(url)
        if len(raw) > BYTES_MAX:
            raise ValueError(f"more than {BYTES_MAX} bytes")
        keys = [key.as_dict(private=False) for key in public_keys(raw).keys]
        if not keys:
            raise ValueError("no Ed25519 key in it")
        text, path = json.dumps({"keys": keys}, sort_keys=True), copy_of(url, self.home)
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, text)
            log.info("jwks_copied", url=url, keys=len(keys))


def _get(url: str) -> bytes:
    try:
        with _OPENER.open(url, timeout=TIMEOUT_S) as reply:
            body: bytes = reply.read(BYTES_MAX + 1)
            return body
    except urllib.error.HTTPError as error:  # it is an open reply too
        error.close()
        raise


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key set comes from where the configuration says, and from nowhere else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


_OPENER: Final[Any] = urllib.request.build_opener(_NoRedirect)  # urllib gives its replies no type
