"""Why an address cannot be used: the name, the connection, TLS and HTTP/2, tried one after the other and told apart.

gRPC says "failed to connect" or "Socket closed" for most of it, and after a while. This looks by itself, in a thread
nobody has to wait for: a name lookup cannot be cut off.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from qmtl.config.settings import split_address

WITHIN_S: Final = 1.5
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # and empty SETTINGS
SETTINGS_TYPE: Final = 4
ALERT: Final = 0x15  # the first byte of a TLS alert


class Cause(Enum):
    """What keeps a client out. Only the last three pass by themselves."""

    FILE = "file"
    TLS = "tls"
    PROTOCOL = "protocol"
    NAME = "dns"
    REFUSED = "refused"
    SILENT = "silent"


PASSING: Final = frozenset({Cause.NAME, Cause.REFUSED, Cause.SILENT})


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a client from an address; `text` says it to a person."""

    cause: Cause
    text: str

    @property
    def may_pass(self) -> bool:
        """Whether waiting may help: a certificate that is not trusted stays so."""
        return self.cause in PASSING


async def obstacle(
    address: str,
    ca: Path | None = None,
    cert: Path | None = None,
    key: Path | None = None,
    within_s: float = WITHIN_S,
    name: str = "",
) -> Obstacle | None:
    """What keeps a client with these files from the gRPC server at host:port; None: nothing that could be seen.

    `name`: what its certificate must be for, where that is not the host. Answers within `within_s` seconds. Without
    `ca` plaintext is spoken.
    """
    found: Future[Obstacle | None] = Future()
    found.set_running_or_notify_cancel()
    stage = ["its name is looked up"]

    def look() -> None:
        try:
            found.set_result(_obstacle(address, ca, cert, key, within_s, stage, name))
        except Exception as error:  # noqa: BLE001 - edge of the thread: who asked gets the error
            found.set_exception(error)

    threading.Thread(target=look, name="reach", daemon=True).start()
    try:
        async with asyncio.timeout(within_s):
            return await asyncio.wrap_future(found)
    except TimeoutError:
        return Obstacle(Cause.SILENT, f"no answer within {within_s:g} s while {stage[0]}")


def _obstacle(
    address: str, ca: Path | None, cert: Path | None, key: Path | None, within_s: float, stage: list[str], name: str
) -> Obstacle | None:
    host, port = split_address(address)
    try:
        context = None if ca is None else _context(ca, cert, key)
    except (OSError, ssl.SSLError) as error:
        return Obstacle(Cause.FILE, f"{ca}, {cert} or {key} cannot be used: {error}")
    until = time.monotonic() + within_s
    try:
        places = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except OSError as error:
        return Obstacle(Cause.NAME, f"the name {host!r} is not found: {error.strerror or error}")
    stage[0] = "a connection is made"
    try:
        raw = socket.create_connection((str(places[0][4][0]), port), timeout=max(0.05, until - time.monotonic()))
    except TimeoutError:
        return Obstacle(Cause.SILENT, f"no connection within {within_s:g} s: is a firewall between?")
    except OSError as error:
        return Obstacle(Cause.REFUSED, f"{error.strerror or error}: is the gateway running?")
    with raw:
        stage[0] = "TLS is agreed" if context is not None else "HTTP/2 is agreed"
        return _plain(raw) if context is None else _secure(raw, context, name or host)


def _context(ca: Path, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["h2"])
    if cert is not None:
        context.load_cert_chain(str(cert), str(key) if key is not None else None)
    return context


def _secure(raw: socket.socket, context: ssl.SSLContext, host: str) -> Obstacle | None:
    try:
        with context.wrap_socket(raw, server_hostname=host.strip("[]")) as talk:
            answer = _answer(talk)
            if not answer:  # gRPC's way of missing a client's certificate: after the handshake, without an alert
                return Obstacle(Cause.TLS, "it ends the connection: it may demand a client certificate (--client-cert)")
            return _judged(answer)
    except ssl.SSLCertVerificationError as error:
        return Obstacle(Cause.TLS, f"its certificate is not accepted: {error.verify_message}")
    except ssl.SSLError as error:
        return Obstacle(Cause.TLS, _refused_by_peer(error))
    except TimeoutError:
        return Obstacle(Cause.SILENT, "it accepts the connection and says nothing")
    except OSError as error:
        return Obstacle(Cause.TLS, f"it ends the TLS handshake: {error.strerror or error}; is this a TLS port?")


def _refused_by_peer(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    if "CERTIFICATE_REQUIRED" in reason:
        return "it demands a client certificate: --client-cert and --client-key"
    if "WRONG_VERSION" in reason or "RECORD_LAYER" in reason:
        return "it does not speak TLS: leave the CA out for a plaintext port"
    if "ALERT" in reason:
        return f"it refuses this client's certificate: {reason.lower().replace('_', ' ')}"
    return f"the TLS handshake failed: {reason.lower().replace('_', ' ') or error}"


def _plain(raw: socket.socket) -> Obstacle | None:
    try:
        return _judged(_answer(raw))
    except TimeoutError:
        return Obstacle(Cause.SILENT, "it accepts the connection and says nothing")
    except OSError as error:
        return Obstacle(
            Cause.PROTOCOL, f"it ends the connection ({error.strerror or error}): it may want TLS, see --ca"
        )


def _answer(talk: socket.socket) -> bytes:
    """The first bytes that come back for HTTP/2's opening; empty when the connection ends."""
    talk.sendall(PREFACE)
    return talk.recv(9)


def _judged(answer: bytes) -> Obstacle | None:
    """Whether a server's first bytes are those of HTTP/2."""
    if len(answer) > 3 and answer[3] == SETTINGS_TYPE and answer[0] != ALERT:
        return None
    if not answer or answer[0] == ALERT:
        return Obstacle(Cause.PROTOCOL, "it does not speak plaintext HTTP/2: it may want TLS, see --ca")
    return Obstacle(Cause.PROTOCOL, "what answers is no gRPC server")
