"""Certificates of a server and of the channels it opens, from files that may be replaced while both are in use.

Every server of profile prod speaks TLS, and all but the gateway demand a certificate of the mesh's CA
from their callers; the gateway's callers are users, who have tokens. Without TLS only loopback is served.
Files are looked at again at each handshake of a server, and every few seconds by a channel. What cannot be used is
told once and left aside: what was in force stays so.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import structlog

from qmtl.config.certificates import CertificateFiles, Loaded, load, stamp_of
from qmtl.config.settings import ServiceSettings, is_loopback
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.rpc.rules.grants import EDGE

LOOK_S: Final = 2.0
log: Final = structlog.stdlib.get_logger("qmtl.rpc")


class CurrentFiles:
    """The newest usable content of certificate files; `version` grows with each that is taken."""

    def __init__(self, files: CertificateFiles) -> None:
        """Raises InvalidRequest (E_CONFIG) for files that cannot be used now."""
        self.files = files
        self.loaded: Loaded = load(files)
        self.version = 0
        self._stamp = stamp_of(files)

    def look(self) -> bool:
        """Take what is in the files now; whether anything new was taken."""
        stamp = stamp_of(self.files)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.loaded = load(self.files)
        except InvalidRequest as error:
            log.error("certificate_not_taken", error=error.message, still="the one in force")
            return False
        self.version += 1
        log.info("certificate_taken", cert=str(self.files.cert), expires_at=self.loaded.expires_text)
        return True


def server_credentials(settings: ServiceSettings, service: str) -> grpc.ServerCredentials | None:
    """Credentials of a server; None: plaintext, which is allowed on loopback in profile dev only.

    Raises InvalidRequest (E_CONFIG) naming the setting that is missing, unreadable, expired or does not match.
    """
    if settings.tls_cert is None and settings.tls_key is None:
        _refuse_plaintext(settings, service)
        return None
    if settings.tls_client_ca is None and settings.mesh.profile == "prod":
        raise _config(f"{service}.tls_client_ca", "empty", "the CA of the mesh, in profile prod")
    demand = settings.tls_client_ca is not None and service != EDGE
    current = CurrentFiles(files_of(settings))

    def configuration() -> grpc.ServerCertificateConfiguration:
        loaded = current.loaded
        return grpc.ssl_server_certificate_configuration(
            [(loaded.key or b"", loaded.cert or b"")], root_certificates=loaded.ca if demand else None
        )

    def changed() -> grpc.ServerCertificateConfiguration | None:
        """Asked by core before each handshake, on a thread of its own."""
        return configuration() if current.look() else None

    return grpc.dynamic_ssl_server_credentials(
        configuration(),
        changed,  # type: ignore[arg-type]  # None, "as before", is allowed; the stubs do not know
        require_client_authentication=demand,
    )


@dataclass(slots=True)
class ChannelCredentials:
    """What a channel proves itself and checks its peer with; `renewed` says when a new connection should be made."""

    current: CurrentFiles
    look_s: float = LOOK_S
    _looked_at: float = 0.0

    def make(self) -> grpc.ChannelCredentials:
        loaded = self.current.loaded
        return grpc.ssl_channel_credentials(loaded.ca, loaded.key, loaded.cert)

    def renewed(self, monotonic: Callable[[], float] = time.monotonic) -> bool:
        """Whether the files have newer content than at the last call; they are looked at every two seconds at most."""
        now = monotonic()
        if now - self._looked_at < self.look_s:
            return False
        self._looked_at = now
        return self.current.look()


def channel_credentials(
    settings: ServiceSettings | None, ca: Path | None = None, pair: tuple[Path, Path] | None = None
) -> ChannelCredentials | None:
    """Credentials of an outgoing channel: a service's own pair and the mesh's CA, or a client's CA file and pair."""
    if ca is not None:
        cert, key = pair or (None, None)
        return ChannelCredentials(
            CurrentFiles(CertificateFiles(cert, key, ca, "client certificate", "client key", "ca"))
        )
    if settings is None or settings.tls_cert is None:
        return None
    return ChannelCredentials(CurrentFiles(files_of(settings)))


def http_context(settings: ServiceSettings) -> ssl.SSLContext:
    """TLS of the service's HTTP endpoint, which takes renewed files at the next handshake."""
    current = CurrentFiles(files_of(settings))
    context = _server_context(current.files)
    holder = [context]

    def before_handshake(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, first: ssl.SSLContext) -> None:
        if current.look():
            holder[0] = _server_context(current.files)
        if holder[0] is not first:
            connection.context = holder[0]

    context.sni_callback = before_handshake  # called for every handshake, named or not
    return context


def _server_context(files: CertificateFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(str(files.cert), str(files.key))
    return context


def files_of(settings: ServiceSettings) -> CertificateFiles:
    """The files of a service, under the names of their settings. Raises InvalidRequest (E_CONFIG) for half a pair."""
    section = settings.service
    for name, path in (("tls_cert", settings.tls_cert), ("tls_key", settings.tls_key)):
        if path is None:
            raise _config(f"{section}.{name}", "empty", "a file")
    names = (f"{section}.tls_cert", f"{section}.tls_key", f"{section}.tls_client_ca")
    return CertificateFiles(settings.tls_cert, settings.tls_key, settings.tls_client_ca, *names)


def _refuse_plaintext(settings: ServiceSettings, service: str) -> None:
    if settings.mesh.profile == "prod":
        raise _config(f"{service}.tls_cert", "empty", "the server's certificate, in profile prod")
    if not is_loopback(settings.bind):
        raise _config(f"{service}.bind", settings.bind, "a loopback address while tls_cert is empty")


def _config(setting: str, value: str, want: str) -> InvalidRequest:
    violation = Violation(setting, value, want)
    return InvalidRequest("E_CONFIG", str(violation), violations=[violation])
