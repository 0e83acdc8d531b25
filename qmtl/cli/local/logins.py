"""Logging in wherever a service would, with its own credentials: database, broker, peers, its home and its files.

Each finding names the setting, what was there and what is wanted; no password, key or token is shown. Nothing is
written but an empty file in the home, which is removed at once.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from qmtl.config import certificates
from qmtl.config.settings import SERVICES, ServiceSettings, addresses_of
from qmtl.core.errors import QmtlError

LOGIN_S = 3.0


class Level(Enum):
    """How bad a finding is; only ERROR fails the check."""

    OK = "ok"
    NOTE = "note"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    level: Level
    setting: str
    text: str


def files(settings: ServiceSettings) -> Iterator[Finding]:
    """The service's certificate with its key and CA, and its own token, as its peers would judge them."""
    from qmtl.core.clock import SystemClock
    from qmtl.rpc.auth.tokens import file_token, service_token_path
    from qmtl.rpc.auth.verification import Authenticator
    from qmtl.rpc.credentials import SOON
    from qmtl.rpc.tls import files_of

    section, now = settings.service, datetime.now(UTC)
    if settings.tls_cert is not None:
        try:
            loaded = certificates.load(files_of(settings), now)
        except QmtlError as error:
            yield Finding(Level.ERROR, error.violations[0].field, error.message)
        else:
            soon = loaded.expires_at is not None and loaded.expires_at - now < SOON
            level = Level.NOTE if soon else Level.OK
            yield Finding(
                level, f"{section}.tls_cert", f"{settings.tls_cert} and its key match, until {loaded.expires_text}"
            )
    if settings.mesh.profile == "prod":
        path = service_token_path(settings.mesh.home, section)
        try:
            authenticator = Authenticator.from_settings(settings, SystemClock())
            ends = authenticator.service_token_ends(file_token(path)(), section)
        except QmtlError as error:
            yield Finding(Level.ERROR, f"{section}.service_token", f"{path}: {error.message}")
        else:
            level = Level.NOTE if ends - now < SOON else Level.OK
            yield Finding(level, f"{section}.service_token", f"{path} is valid until {ends.isoformat()}")


def home(settings: ServiceSettings) -> Finding:
    """Whether the service can write into its home."""
    place = settings.mesh.home.absolute()
    try:
        with tempfile.TemporaryFile(dir=place):
            return Finding(Level.OK, "mesh.home", f"{place} can be written")
    except OSError as error:
        return Finding(Level.ERROR, "mesh.home", f"{place}: {error.strerror}, want a folder to write to")


def database(settings: ServiceSettings) -> Finding:
    """Log in to PostgreSQL, and see whether tables may be made there."""
    import sqlalchemy as sa
    from sqlalchemy.exc import SQLAlchemyError

    name, shown = f"{settings.service}.database_url", without_password(settings.database_url)
    try:
        url = sa.make_url(settings.database_url).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"connect_timeout": round(LOGIN_S)})
        with engine.connect() as conn:
            query = "SELECT current_user, has_schema_privilege(current_schema(), 'CREATE')"
            user, may_create = conn.execute(sa.text(query)).one()
    except SQLAlchemyError as error:
        cause = str(_driver_error(error)).strip().splitlines()
        return Finding(Level.ERROR, name, f"{shown}: {cause[0].strip() if cause else type(error).__name__}")
    if not may_create:
        return Finding(Level.ERROR, name, f"{shown}: user {user} may not create tables, want a schema of its own")
    return Finding(Level.OK, name, f"{shown}: logged in as {user}")


def _driver_error(error: Exception) -> Exception:
    """The driver's own error below SQLAlchemy's, whose text has a link to a manual."""
    return error.__cause__ if isinstance(error.__cause__, Exception) else error


def broker(settings: ServiceSettings, url: str, setting: str = "mesh.nats_url") -> list[Finding]:
    """Log in to each server of the broker as the service, over TLS where a CA is set, and ask for JetStream."""
    from controlbus.jetstream.connection import servers_of

    try:
        servers = servers_of(url)
    except QmtlError as error:
        return [Finding(Level.ERROR, setting, without_password(error.message))]

    async def all_of_them() -> list[Finding]:
        return list(await asyncio.gather(*(_broker(settings, server, setting) for server in servers)))

    return asyncio.run(all_of_them())


async def _broker(settings: ServiceSettings, server: str, setting: str) -> Finding:
    import nats.errors
    from nats.aio.client import Client
    from nats.js.errors import Error as JetStreamError

    from controlbus.jetstream.connection import Credentials, inbox_prefix, tls_context

    shown, who = without_password(server), settings.service
    told: list[str] = []

    async def hear(error: Exception) -> None:
        told.append(str(error) or type(error).__name__)

    client = Client()
    try:
        own = Credentials.of(settings.mesh.nats_credentials)
        async with asyncio.timeout(2 * LOGIN_S):
            await client.connect(
                [server], name=f"{who}-check", inbox_prefix=inbox_prefix(who), user_credentials=own.jwt_file,
                nkeys_seed=own.seed_file, tls=tls_context(settings.mesh.nats_ca), allow_reconnect=False,
                connect_timeout=round(LOGIN_S), max_reconnect_attempts=0, error_cb=hear,
            )  # fmt: skip
            await client.jetstream(timeout=LOGIN_S).account_info()
    except QmtlError as error:
        return Finding(Level.ERROR, error.violations[0].field if error.violations else setting, error.message)
    except (nats.errors.Error, JetStreamError, OSError, TimeoutError) as error:
        cause = (told or [str(error) or type(error).__name__])[-1]
        return Finding(Level.ERROR, setting, f"{shown} does not let {who} in: {cause}")
    finally:
        if client.is_connected:
            await client.close()
    return Finding(Level.OK, setting, f"{shown}: logged in as {who}, JetStream answers")


def peers(settings: ServiceSettings) -> Iterator[Finding]:
    """Meet each peer with the service's certificate. One that does not run yet is a note, no error."""
    from qmtl.rpc.client.reach import Cause, obstacle

    for name in SERVICES:
        address = settings.mesh.addresses.get(name, "")
        if name == settings.service or not address:
            continue
        places = addresses_of(address)
        for place in places:
            found = asyncio.run(
                obstacle(place, settings.tls_client_ca, settings.tls_cert, settings.tls_key, LOGIN_S,
                         name if len(places) > 1 else "")
            )  # fmt: skip
            setting = f"mesh.addresses.{name}"
            if found is None:
                yield Finding(Level.OK, setting, f"{place} answers {settings.service}")
            else:
                level = Level.NOTE if found.cause is Cause.REFUSED else Level.ERROR
                yield Finding(level, setting, f"{place} does not answer {settings.service}: {found.text}")


def without_password(url: str) -> str:
    """A URL, or several separated by commas, as it may be shown."""
    return ",".join(_without_password(part) for part in url.split(","))


def _without_password(url: str) -> str:
    try:
        password = urlsplit(url).password
    except ValueError:
        return url
    return url if password is None else url.replace(f":{password}@", ":***@")


def readable(name: str, path: Path) -> Finding:
    """Whether a file can be read."""
    try:
        path.read_bytes()
    except OSError as error:
        return Finding(Level.ERROR, name, f"{path} cannot be read: {error.strerror}")
    return Finding(Level.OK, name, f"{path} is readable")
