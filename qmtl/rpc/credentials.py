"""A service's own credentials: checked before it serves, watched while it does, told a week before they end.

The token it shows its peers and the certificate it proves itself with. Whoever renews the files need not restart
anything: tokens are read again in use, certificates at the next handshake. Nothing here is about users' tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Gauge

from qmtl.config import certificates
from qmtl.config.settings import ServiceSettings
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, QmtlError, Unauthenticated, Unavailable, Violation
from qmtl.rpc import tls
from qmtl.rpc.auth.tokens import file_token, service_token_path
from qmtl.rpc.auth.verification import Authenticator

LOOK_S: Final = 60.0
SOON: Final = timedelta(days=7)
TOLD_AGAIN: Final = timedelta(days=1)
CREDENTIALS: Final = "credentials"
TOKEN: Final = "service_token"
CERTIFICATE: Final = "certificate"
log: Final = structlog.stdlib.get_logger("qmtl.rpc")


@dataclass(frozen=True, slots=True)
class Credential:
    """One of them, as it was last seen; `error` says why it cannot be used."""

    name: str
    path: Path
    expires_at: datetime | None
    error: str = ""


class OwnCredentials:
    """What one service has to prove itself with."""

    def __init__(
        self,
        settings: ServiceSettings,
        authenticator: Authenticator,
        clock: Clock,
        registry: CollectorRegistry,
        note: Callable[[str, str], None],
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._clock = clock
        self._note = note
        self._told: dict[str, datetime] = {}
        self._expires = Gauge(
            "qmtl_credential_expires_timestamp_seconds",
            "When a credential of this service ends; 0 when it cannot be used now.",
            ["credential"],
            registry=registry,
        )
        self.seen: tuple[Credential, ...] = ()

    def check(self) -> None:
        """Look once, before serving. Raises InvalidRequest (E_CONFIG) naming the one that cannot be used, and why."""
        self.look()
        for one in self.seen:
            if one.error:
                setting = f"{self._settings.service}.{'tls_cert' if one.name == CERTIFICATE else one.name}"
                violation = Violation(setting, str(one.path), f"a {one.name.replace('_', ' ')} of use: {one.error}")
                raise InvalidRequest("E_CONFIG", str(violation), violations=[violation])

    def failure(self) -> str:
        """Why peers refuse this service now; empty when they do not."""
        return "; ".join(f"{one.name.replace('_', ' ')}: {one.error}" for one in self.seen if one.error)

    def warning(self) -> str:
        """What ends within a week."""
        until = self._clock.now() + SOON
        soon = [one for one in self.seen if one.expires_at is not None and one.expires_at <= until]
        return "; ".join(f"{one.name.replace('_', ' ')} ends {one.expires_at:%Y-%m-%d %H:%M} UTC" for one in soon)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await self._clock.sleep(LOOK_S)

    def look(self) -> None:
        """See them as they are now; log what ends within a week, once a day, and what has ended."""
        self.seen = tuple(one for one in (self._token(), self._certificate()) if one is not None)
        for one in self.seen:
            ends = 0.0 if one.error or one.expires_at is None else one.expires_at.timestamp()
            self._expires.labels(one.name).set(ends)
            self._tell(one)
        self._note(CREDENTIALS, self.failure())

    def _tell(self, one: Credential) -> None:
        now = self._clock.now()
        left = None if one.expires_at is None else one.expires_at - now
        if not one.error and (left is None or left > SOON):
            self._told.pop(one.name, None)
            return
        if one.name in self._told and now - self._told[one.name] < TOLD_AGAIN:
            return
        self._told[one.name] = now
        where = {"credential": one.name, "path": str(one.path)}
        if one.error:
            log.error("credential_refused", **where, error=one.error)
        elif left is not None:
            log.warning(
                "credential_ends_soon", **where, expires_at=str(one.expires_at), hours_left=left // timedelta(hours=1)
            )

    def _token(self) -> Credential:
        service = self._settings.service
        path = service_token_path(self._settings.mesh.home, service)
        try:
            return Credential(TOKEN, path, self._authenticator.service_token_ends(file_token(path)(), service))
        except Unauthenticated as error:
            return Credential(TOKEN, path, None, error.message)
        except Unavailable:  # its issuer's keys are not here yet, which is told by itself: nothing can be said of it
            return Credential(TOKEN, path, None)

    def _certificate(self) -> Credential | None:
        path = self._settings.tls_cert
        if path is None:
            return None
        try:
            loaded = certificates.load(tls.files_of(self._settings), self._clock.now())
        except QmtlError as error:
            return Credential(CERTIFICATE, path, None, error.message)
        return Credential(CERTIFICATE, path, loaded.expires_at)
