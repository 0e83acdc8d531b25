"""Certificates of a server and of the channels it opens, from settings.

Every server of profile prod speaks TLS, and all but the gateway demand a certificate of the mesh's CA
from their callers; the gateway's callers are users, who have tokens. Without TLS only loopback is served.
"""

from __future__ import annotations

from pathlib import Path

import grpc

from qmtl.config.settings import ServiceSettings, is_loopback
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.rpc.rules.grants import EDGE


def server_credentials(settings: ServiceSettings, service: str) -> grpc.ServerCredentials | None:
    """Credentials of a server; None: plaintext, which is allowed on loopback in profile dev only.

    Raises InvalidRequest (E_CONFIG) naming the setting that is missing or unreadable.
    """
    if settings.tls_cert is None and settings.tls_key is None:
        _refuse_plaintext(settings, service)
        return None
    pair = (_read(settings.tls_key, f"{service}.tls_key"), _read(settings.tls_cert, f"{service}.tls_cert"))
    ca = None if settings.tls_client_ca is None else _read(settings.tls_client_ca, f"{service}.tls_client_ca")
    if ca is None and settings.mesh.profile == "prod":
        raise _config(f"{service}.tls_client_ca", "empty", "the CA of the mesh, in profile prod")
    demand = ca is not None and service != EDGE
    return grpc.ssl_server_credentials([pair], root_certificates=ca if demand else None, require_client_auth=demand)


def channel_credentials(
    settings: ServiceSettings | None, ca: Path | None = None, pair: tuple[Path, Path] | None = None
) -> grpc.ChannelCredentials | None:
    """Credentials of an outgoing channel: a service's own pair and the mesh's CA, or a client's CA file and pair."""
    if ca is not None:
        cert, key = (
            (None, None) if pair is None else (_read(pair[0], "client certificate"), _read(pair[1], "client key"))
        )
        return grpc.ssl_channel_credentials(_read(ca, "ca"), key, cert)
    if settings is None or settings.tls_cert is None:
        return None
    service = settings.service
    root = None if settings.tls_client_ca is None else _read(settings.tls_client_ca, f"{service}.tls_client_ca")
    key, cert = _read(settings.tls_key, f"{service}.tls_key"), _read(settings.tls_cert, f"{service}.tls_cert")
    return grpc.ssl_channel_credentials(root, key, cert)


def _refuse_plaintext(settings: ServiceSettings, service: str) -> None:
    if settings.mesh.profile == "prod":
        raise _config(f"{service}.tls_cert", "empty", "the server's certificate, in profile prod")
    if not is_loopback(settings.bind):
        raise _config(f"{service}.bind", settings.bind, "a loopback address while tls_cert is empty")


def _read(path: Path | None, setting: str) -> bytes:
    if path is None:
        raise _config(setting, "empty", "a file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise _config(setting, f"{path} ({error.strerror})", "a readable file") from None


def _config(setting: str, value: str, want: str) -> InvalidRequest:
    violation = Violation(setting, value, want)
    return InvalidRequest("E_CONFIG", str(violation), violations=[violation])
