"""Key sets of issuers that publish them at a URL, mirrored into files that the authenticator reads.

A process starts with the keys it can fetch, or with the copy of an earlier day. An issuer of which it has neither is
an outage: its tokens cannot be judged (E_JWKS, UNAVAILABLE), everybody else's are, and it is asked every few seconds.
A set that cannot be fetched or read leaves the copy as it is: an issuer's outage signs nobody out. A sound set without
keys is no outage: its issuer withdraws them, and its tokens are refused.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from email.message import Message
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, Protocol
from urllib.parse import urlsplit

import structlog

from qmtl.config.files import write_private
from qmtl.config.settings import Issuer, is_loopback
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, QmtlError, Unavailable, Violation
from qmtl.rpc.auth.issuers import copy_of, public_keys
from qmtl.rpc.auth.keys import SERVICE_AUDIENCE

REFRESH_S: Final = 60.0
AGAIN_S: Final = 2.0  # while there are no keys at all
TIMEOUT_S: Final = 5.0  # of one step: a connection, a read
WHOLE_S: Final = 10.0  # of a set from its first step to its last byte
BYTES_MAX: Final = 64 * 1024
TEXT_MAX: Final = 200  # characters of an error: it may quote the answer
log: Final = structlog.stdlib.get_logger("qmtl.rpc.auth")


class Note(Protocol):
    """Tells that something is away, or, with an empty detail, that it is not."""

    def __call__(self, name: str, detail: str, *, vital: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class KeyMirror:
    """Where each issuer's key set comes from, and the home its copies are kept in.

    `vital`: those whose tokens the services of the mesh show one another.
    """

    urls: tuple[str, ...]
    home: Path
    whole_s: float = WHOLE_S
    vital: frozenset[str] = frozenset()
    _asking: dict[str, Future[bytes]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, issuers: Iterable[Issuer], home: Path, whole_s: float = WHOLE_S) -> KeyMirror:
        """The mirror of the issuers that have a URL. Raises InvalidRequest (E_CONFIG) for one that is not safe."""
        urls, vital = set(), set()
        for issuer in issuers:
            if "://" in issuer.jwks:
                if not _is_safe(issuer.jwks):
                    raise _config(f"mesh.issuers[{issuer.issuer}].jwks", repr(issuer.jwks), "an https URL, or a path")
                urls.add(issuer.jwks)
                if issuer.audience == SERVICE_AUDIENCE:
                    vital.add(issuer.jwks)
        return cls(tuple(sorted(urls)), home, whole_s, frozenset(vital))

    async def fetch(self) -> Mapping[str, QmtlError]:
        """Copy every set now, side by side; why there are no keys of an issuer, by its URL, where there are none."""
        left = await asyncio.gather(*(self._copied(url) for url in self.urls))
        pairs = zip(self.urls, left, strict=True)
        return {url: error for url, error in pairs if error is not None and not self._has_keys(url)}

    async def begin(self, note: Note) -> None:
        """Copy every set before the service serves, and tell of issuers without keys.

        Raises InvalidRequest (E_CONFIG) where there is no good copy and none can be written.
        """
        missing = await self.fetch()
        for error in missing.values():
            if isinstance(error, InvalidRequest):
                raise error
        self._tell(missing, note)

    async def run(self, clock: Clock, note: Note) -> None:
        """Copy what changed, for ever, and tell of issuers without keys."""
        while True:
            await clock.sleep(REFRESH_S if all(map(self._has_keys, self.urls)) else AGAIN_S)
            self._tell(await self.fetch(), note)

    def _has_keys(self, url: str) -> bool:
        return _is_good(copy_of(url, self.home))

    def _tell(self, missing: Mapping[str, QmtlError], note: Note) -> None:
        for url in self.urls:
            note(f"issuer {url}", missing[url].message if url in missing else "", vital=url in self.vital)

    async def _copied(self, url: str) -> QmtlError | None:
        """Why the copy was left as it is; None when it is what the issuer publishes now."""
        path = copy_of(url, self.home)
        left: QmtlError
        try:
            keys = [key.as_dict(private=False) for key in public_keys(await self._asked(url), url).keys]
            text = json.dumps({"keys": keys}, sort_keys=True).encode()
        except Exception as error:  # noqa: BLE001 - a stranger's answer: nothing in it may end the process
            left = Unavailable("E_JWKS", f"mesh.issuers: {url} gives no keys: {_told(error)}")
        else:
            try:
                changed = await asyncio.to_thread(_keep, path, text)
            except OSError as error:
                left = _config("mesh.home", f"{self.home} ({path.name}: {error.strerror})", "a folder to write to")
            else:
                _log_copy(url, len(keys), changed)
                return None
        log.warning("jwks_not_copied", url=url, error=left.message, copy_age_s=_age_s(path))
        return left

    async def _asked(self, url: str) -> bytes:
        """The issuer's answer, in bounded time; a question that is not over yet is not asked a second time."""
        asking = self._asking.get(url)
        if asking is None or asking.done():
            asking = self._asking[url] = _beside(partial(_get, url, self.whole_s))
        try:
            async with asyncio.timeout(self.whole_s):
                return await asyncio.wrap_future(asking)
        except TimeoutError as error:
            raise TimeoutError(str(error) or f"no whole answer within {self.whole_s:g} s") from None


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    if not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_local(url))


def _is_local(url: str) -> bool:
    return is_loopback(f"{urlsplit(url).hostname}:80")


def _config(setting: str, value: str, want: str) -> InvalidRequest:
    violation = Violation(setting, value, want)
    return InvalidRequest("E_CONFIG", str(violation), violations=[violation])


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:TEXT_MAX]


def _log_copy(url: str, keys: int, changed: bool) -> None:
    if not keys:
        log.warning("jwks_withdrawn", url=url)
    elif changed:
        log.info("jwks_copied", url=url, keys=keys)


def _is_good(path: Path) -> bool:
    try:
        public_keys(path.read_bytes(), str(path))
    except (OSError, ValueError):
        return False
    return True


def _age_s(path: Path) -> int | None:
    """How long ago the copy was last found true; None without one."""
    try:
        return round(time.time() - path.stat().st_mtime)
    except OSError:
        return None


def _keep(path: Path, text: bytes) -> bool:
    """Replace the copy in one step, or touch it when it says the same; whether it changed. Raises OSError."""
    if path.exists() and path.read_bytes() == text:
        os.utime(path)
        return False
    write_private(path, text.decode())
    return True


def _beside(work: Callable[[], bytes]) -> Future[bytes]:
    """Do it in a thread that nobody has to wait for, not even the process's end: a name lookup cannot be cut off."""
    future: Future[bytes] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - edge of the thread: who asked gets the error
            future.set_exception(error)

    threading.Thread(target=run, name="jwks", daemon=True).start()
    return future


def _get(url: str, whole_s: float) -> bytes:
    """Raises OSError, http.client.HTTPException, ValueError (too long)."""
    until = time.monotonic() + whole_s
    try:
        with _opener(url).open(url, timeout=min(TIMEOUT_S, whole_s)) as reply:
            body = bytearray()
            while part := reply.read1(BYTES_MAX + 1 - len(body)):
                body += part
                if len(body) > BYTES_MAX:
                    raise ValueError(f"more than {BYTES_MAX} bytes")
                if time.monotonic() > until:
                    raise TimeoutError("the answer takes too long")
            return bytes(body)
    except urllib.error.HTTPError as error:  # it is an open reply too
        error.close()
        raise


def _opener(url: str) -> Any:  # urllib gives its replies no type
    """The environment's proxies (HTTPS_PROXY, NO_PROXY) are used, as operators expect, but for a set on this machine.

    A proxy only passes on what TLS protects from end to end; what is in the clear does not leave the machine.
    """
    proxies = urllib.request.ProxyHandler({} if _is_local(url) else None)
    return urllib.request.build_opener(_NoRedirect, proxies)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key set comes from the URL that the configuration names: its server cannot send us to another one."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None
