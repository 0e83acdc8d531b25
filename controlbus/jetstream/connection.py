"""One process's connection to NATS: kept for ever, never buffering, failing fast while the broker is away.

nats-py would queue publishes during a reconnect and send them later; with an outbox behind us that only reorders,
so the buffer is off and every call raises Unavailable until the link is up again. Waiters hear of each loss at once.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import nats.errors
import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from controlbus.jetstream.metrics import BusMetrics
from controlbus.jetstream.subjects import token
from qmtl.core.errors import Conflict, InvalidRequest, Unavailable, Violation
from qmtl.core.tasks.ending import end

log = structlog.stdlib.get_logger("qmtl.controlbus.jetstream")

T = TypeVar("T")

ACK_S = 5.0
RECONNECT_S = 0.25
STUCK_S = 10.0
CLOSE_S = 2.0
PING_S = 10
WRONG_LAST_SEQUENCE = (10071, 10164)
FORBIDDEN_MAX = 1000
_VIOLATION = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"')


def down(detail: str) -> Unavailable:
    """The error for anything that needs the broker while it cannot serve."""
    return Unavailable("E_BUS_UNAVAILABLE", f"the message broker cannot be used: {detail}", retry_after_s=1.0)


def forbidden(subject: str) -> Unavailable:
    """The error for what these credentials do not allow; Unavailable, since an operator may allow it any time."""
    return Unavailable("E_BUS_FORBIDDEN", f"the message broker's permissions forbid {subject}", retry_after_s=5.0)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A NATS .creds file (JWT and seed), a file with the bare seed of an nkey, or nothing."""

    jwt_file: str | None = None
    seed_file: str | None = None

    @classmethod
    def of(cls, path: Path | None) -> Credentials:
        """Look into the file. Raises InvalidRequest (E_CONFIG) when it cannot be read or is neither."""
        if path is None:
            return cls()
        try:
            text = path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise _config("mesh.nats_credentials", str(path), f"a readable file: {error}") from None
        if "BEGIN NATS USER JWT" in text:
            return cls(jwt_file=str(path))
        if text.startswith("SU") and _is_seed(text):
            return cls(seed_file=str(path))
        raise _config("mesh.nats_credentials", str(path), "a .creds file, or the seed of a user nkey (SU...)")


def _is_seed(text: str) -> bool:
    import nkeys  # type: ignore[import-untyped]  # ships no stubs; nats-py itself imports it when it connects

    try:
        nkeys.from_seed(bytearray(text.strip().encode()))
    except nkeys.NkeysError:
        return False
    return True


def servers_of(url: str) -> list[str]:
    """The servers of a comma-separated URL. Raises InvalidRequest (E_CONFIG)."""
    servers = [each.strip() for each in url.split(",")]
    for each in servers:
        if urlsplit(each).scheme not in ("nats", "tls") or not urlsplit(each).hostname:
            raise _config("mesh.nats_url", each, "nats://host:port, several separated by commas")
    return servers


def tls_context(ca: Path | None) -> ssl.SSLContext | None:
    """What to trust a broker by; None: plaintext, unless the URL says tls. Raises InvalidRequest (E_CONFIG)."""
    if ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise _config("mesh.nats_ca", str(ca), f"a file of PEM certificates: {error}") from None


def _stamps(paths: tuple[Path | None, ...]) -> tuple[int, ...]:
    """Changes when one of the files is replaced."""
    return tuple(path.stat().st_mtime_ns if path is not None and path.exists() else 0 for path in paths)


def inbox_prefix(service: str) -> str:
    """Answers to a service come on subjects of its own, so that permissions can keep others from reading them."""
    return f"_INBOX.{token(service)}"


def nudge_subject(service: str) -> str:
    """Where the processes of one service wake each other."""
    return f"{inbox_prefix(service)}.nudge"


def _config(field: str, value: str, want: str) -> InvalidRequest:
    violation = Violation(field, value, want)
    return InvalidRequest("E_CONFIG", str(violation), violations=[violation])


class Link:
    """The connection, its state, and publishing with the broker's acknowledgement."""

    def __init__(
        self, url: str, service: str, credentials: Path | None, metrics: BusMetrics, ca: Path | None = None
    ) -> None:
        self.service = service
        self._servers = servers_of(url)
        self.metrics = metrics
        self.generation = 0  # grows with every (re)connection: what was set up before it must be set up again
        self.nc = Client()
        self.js: JetStreamContext = self.nc.jetstream()
        self.since = datetime.now(UTC)
        self.detail = "not connected yet"
        self._files = (credentials, ca)
        self._credentials = Credentials.of(credentials)
        self._tls = tls_context(ca)
        self._stamp = _stamps(self._files)
        self._changed = asyncio.Condition()
        self.forbidden: set[str] = set()  # subjects in lower case that were refused on this connection
        self._waiting: dict[str, asyncio.Future[int]] = {}
        self._refusable: dict[asyncio.Future[Any], str] = {}  # calls of any result, by what they publish to
        self._nudged: list[Callable[[], None]] = []
        self._tokens = itertools.count(1)
        self._inbox = ""
        self._closing = False
        self._reopening: asyncio.Task[None] | None = None
        self._heard_at = time.monotonic()  # when the client last tried or failed

    @property
    def up(self) -> bool:
        return self.generation > 0 and self.nc.is_connected

    async def run(self) -> None:
        """Connect, and connect again whenever the client gives up (it does so on some server errors)."""
        while True:
            closed = asyncio.Event()
            self._take_files()
            self.nc = Client()
            self.js = self.nc.jetstream(timeout=ACK_S)
            try:
                async with asyncio.timeout(STUCK_S):  # then with a new client, and with the files as they are now
                    await self._connect(closed)
                self._inbox = self.nc.new_inbox()
                await self.nc.subscribe(f"{self._inbox}.*", cb=self._on_ack)
                await self.nc.subscribe(nudge_subject(self.service), cb=self._on_nudge)
                await self._came_up()
                await self._given_up(closed)
            except TimeoutError:
                continue
            finally:
                await self._end_client()

    def leave(self) -> None:
        """Say that the end is meant, before `run` is cancelled: nothing that follows is told as a loss."""
        self._closing = True
        self._fail_waiting()

    async def nudge(self) -> None:
        """See `Bus.nudge`. It comes back to its sender, too."""
        with suppress(nats.errors.Error, OSError):
            await self.nc.publish(nudge_subject(self.service))

    def on_nudge(self, call: Callable[[], None]) -> Callable[[], None]:
        """See `Bus.on_nudge`."""
        self._nudged.append(call)
        return lambda: self._nudged.remove(call)

    async def _on_nudge(self, _: Msg) -> None:
        for call in tuple(self._nudged):
            call()

    async def wait_up(self, timeout_s: float | None = None) -> int:
        """Wait for the connection; returns its generation. Raises Unavailable after `timeout_s`."""
        if self.up:
            return self.generation
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.up)
        except TimeoutError:
            raise down(self.detail) from None
        return self.generation

    async def wait_change(self, generation: int) -> None:
        """Return as soon as the connection is not the one of `generation` any more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.generation != generation or not self.up)

    async def pause(self) -> None:
        """A breath between two attempts at something the broker refused."""
        await asyncio.sleep(RECONNECT_S)

    def new_name(self) -> str:
        """A consumer name nobody else has."""
        return f"{self.service}-{self.nc.new_inbox().rpartition('.')[2]}"

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Publish and await the stream's acknowledgement; returns the stream sequence.

        Raises Conflict (E_BUS_SEQUENCE) when an expected last sequence did not match, else Unavailable: whether the
        message was stored is then unknown, so repeat it with the same message id.
        """
        if not self.up:
            raise down(self.detail)
        number = str(next(self._tokens))
        stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[number] = stored
        self._refusable[stored] = subject.lower()
        try:
            async with asyncio.timeout(ACK_S):
                await self.nc.publish(subject, body, reply=f"{self._inbox}.{number}", headers=dict(headers))
                return await stored
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise down(f"{subject} was not acknowledged: {error or type(error).__name__}") from error
        finally:
            del self._waiting[number], self._refusable[stored]

    async def ask(self, call: Awaitable[T], subject: str = "") -> T:
        """Await a call of the JetStream API. Raises Unavailable, at once when the connection is lost meanwhile.

        `subject`: what the call publishes to, where permissions may forbid it; that is then heard at once, too.
        """
        found = await self.find(call, subject)
        if found is None:
            raise down("no such stream or consumer")
        return found

    async def find(self, call: Awaitable[T], subject: str = "") -> T | None:
        """As `ask`, None for what does not exist."""
        asking = asyncio.ensure_future(call)
        losing = asyncio.create_task(self.wait_change(self.generation))
        refused: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._refusable[refused] = subject.lower()
        answers: list[asyncio.Future[Any]] = [asking, losing, refused]
        try:
            await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            if refused.done():
                refused.result()
            if not asking.done():
                raise down("connection lost")
            return asking.result()
        except NotFoundError:
            return None
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise down(str(error) or type(error).__name__) from error
        finally:
            del self._refusable[refused]
            await end(asking, losing)

    async def _connect(self, closed: asyncio.Event) -> None:
        async def on_closed() -> None:
            closed.set()

        await self.nc.connect(
            self._servers,
            name=self.service,
            inbox_prefix=inbox_prefix(self.service),
            user_credentials=self._credentials.jwt_file,
            nkeys_seed=self._credentials.seed_file,
            tls=self._tls,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_S,  # type: ignore[arg-type]  # seconds, only compared and slept: a fraction works
            ping_interval=PING_S,
            pending_size=0,
            disconnected_cb=self._went_down,
            reconnected_cb=self._came_up,
            closed_cb=on_closed,
            error_cb=self._on_error,
        )

    async def _end_client(self) -> None:
        """Close the client; it may wait for ever for a connection that was cut within TLS."""
        with suppress(nats.errors.Error, TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_S):
                await self.nc.close()

    async def _given_up(self, closed: asyncio.Event) -> None:
        """Return once the client has closed for good, or is stuck.

        After a reset in the middle of TLS nats-py waits for ever for a connection to end that never was one: then it
        is away and tries nothing.
        """
        while not closed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(STUCK_S):
                    await closed.wait()
            if not self.nc.is_connected and time.monotonic() - self._heard_at > STUCK_S and not closed.is_set():
                log.warning("broker_client_stuck", service=self.service)
                return

    def _take_files(self) -> None:
        """Use credentials and CA as the files have them now; what cannot be read leaves those in force."""
        self._stamp = _stamps(self._files)
        try:
            self._credentials, self._tls = Credentials.of(self._files[0]), tls_context(self._files[1])
        except InvalidRequest as error:
            log.error("broker_credentials_not_taken", service=self.service, error=error.message)

    async def _came_up(self) -> None:
        self.generation += 1
        self.forbidden.clear()
        self.since, self.detail = datetime.now(UTC), ""
        log.info("broker_connected", service=self.service, generation=self.generation)
        await self._announce()

    async def _went_down(self) -> None:
        self._heard_at = time.monotonic()
        if self._closing:
            return
        self.metrics.disconnected.inc()
        self.since, self.detail = datetime.now(UTC), self.detail or "connection lost"
        log.warning("broker_lost", service=self.service)
        self._fail_waiting()
        await self._announce()

    async def _on_error(self, error: Exception) -> None:
        """Permission violations come only here; refused connections come here four times a second."""
        self._heard_at = time.monotonic()
        detail = str(error) or type(error).__name__
        if (violation := _VIOLATION.search(detail)) is not None:
            self._refuse(violation[1], violation[2])
            return
        if detail != self.detail and not isinstance(error, nats.errors.SlowConsumerError):
            log.warning("broker_error", service=self.service, error=detail)
        if not self.up:
            self.detail = detail
            if _stamps(self._files) != self._stamp:  # nats-py keeps the key it connected with: begin anew
                log.info("broker_credentials_changed", service=self.service)
                self._stamp = _stamps(self._files)
                self._reopening = asyncio.create_task(self._end_client())

    def _refuse(self, operation: str, subject: str) -> None:
        """The broker says so in lower case, and never in reply to the call."""
        self.metrics.forbidden.labels(operation).inc()
        if subject not in self.forbidden and len(self.forbidden) < FORBIDDEN_MAX:
            self.forbidden.add(subject)
            log.error("broker_forbids", service=self.service, operation=operation, subject=subject)
        for call, asked in self._refusable.items():
            if asked == subject and not call.done():
                call.set_exception(forbidden(subject))

    async def _on_ack(self, msg: Msg) -> None:
        stored = self._waiting.get(msg.subject.rpartition(".")[2])
        if stored is None or stored.done():
            return
        if msg.headers and msg.headers.get("Status") == "503":
            stored.set_exception(down("no stream takes this subject"))
            return
        reply = orjson.loads(msg.data)
        if "error" not in reply:
            stored.set_result(int(reply["seq"]))
        elif reply["error"].get("err_code") in WRONG_LAST_SEQUENCE:
            stored.set_exception(Conflict("E_BUS_SEQUENCE", "the subject's last sequence is another one"))
        else:
            stored.set_exception(down(reply["error"].get("description", "refused")))

    def _fail_waiting(self) -> None:
        for stored in self._waiting.values():
            if not stored.done():
                stored.set_exception(down("connection lost"))

    async def _announce(self) -> None:
        async with self._changed:
            self._changed.notify_all()
