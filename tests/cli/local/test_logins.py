"""Logging in as a service does, to a real broker over TLS and a real PostgreSQL; every refusal names its cause."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from controlbus.jetstream.permissions import authorization, seed_path, write_seeds
from qmtl.cli.local import logins
from qmtl.cli.local.logins import Level
from qmtl.config.settings import MeshSettings, ServiceSettings
from tests.rpc.certificates import Authority, authority
from tests.support.nats import NatsServer


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return authority(tmp_path, "ca")


@pytest.fixture
def broker(tmp_path: Path, ca: Authority) -> Iterator[NatsServer]:
    cert, key = ca.issue("n1")
    tls = f'tls {{ cert_file: "{cert}", key_file: "{key}" }}\n'
    server = NatsServer(tmp_path, config=tls + authorization(write_seeds(tmp_path)))
    server.start()
    yield server
    server.stop()


def settings(home: Path, ca: Path | None = None, key: str = "", database: str = "") -> ServiceSettings:
    credentials = seed_path(home, key) if key else None
    mesh = MeshSettings(home=home, nats_ca=ca, nats_credentials=credentials)
    return ServiceSettings(service="gateway", mesh=mesh, database_url=database)


def test_each_server_of_the_broker_is_asked_with_the_services_own_key(
    tmp_path: Path, ca: Authority, broker: NatsServer
) -> None:
    url = f"{broker.url},nats://127.0.0.1:1"
    here, away = logins.broker(settings(tmp_path, ca.file, "gateway"), url)
    assert (here.level, here.text) == (Level.OK, f"{broker.url}: logged in as gateway, JetStream answers")
    assert (away.level, away.setting) == (Level.ERROR, "mesh.nats_url")
    assert away.text.startswith("nats://127.0.0.1:1 does not let gateway in: ")
    assert "Connect call failed" in away.text


def test_a_broker_that_does_not_know_the_key_or_is_not_trusted_says_why(
    tmp_path: Path, ca: Authority, broker: NatsServer
) -> None:
    (stranger,) = logins.broker(settings(tmp_path / "other", ca.file), broker.url)
    assert stranger.level is Level.ERROR
    assert "authorization" in stranger.text.lower()
    other = authority(tmp_path, "other").file
    (untrusted,) = logins.broker(settings(tmp_path, other, "gateway"), broker.url)
    assert untrusted.level is Level.ERROR
    assert "certificate verify failed" in untrusted.text
    (unreadable,) = logins.broker(settings(tmp_path, tmp_path / "none", "gateway"), broker.url)
    assert (unreadable.level, unreadable.setting) == (Level.ERROR, "mesh.nats_ca")
    (no_url,) = logins.broker(settings(tmp_path), "http://x:1")
    assert (no_url.level, no_url.setting) == (Level.ERROR, "mesh.nats_url")


def test_the_database_is_logged_in_to(tmp_path: Path, postgres_url: str) -> None:
    found = logins.database(settings(tmp_path, database=postgres_url))
    assert (found.level, found.setting) == (Level.OK, "gateway.database_url")
    assert "logged in as postgres" in found.text
    head, _, query = postgres_url.partition("?")
    missing = f"{head.rpartition('/')[0]}/nowhere?{query}"
    found = logins.database(settings(tmp_path, database=missing))
    assert found.level is Level.ERROR
    assert 'database "nowhere" does not exist' in found.text


def test_a_user_who_may_not_make_tables_or_has_no_login_is_told(tmp_path: Path, postgres_url: str) -> None:
    role = "r" + postgres_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {role} LOGIN".encode())
        conn.execute(b"REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        reader = postgres_url.replace("//postgres:", f"//{role}:").replace("//postgres@", f"//{role}@")
        found = logins.database(settings(tmp_path, database=reader))
        assert found.level is Level.ERROR
        assert f"user {role} may not create tables" in found.text
        with psycopg.connect(postgres_url, autocommit=True) as conn:
            conn.execute(f"ALTER ROLE {role} NOLOGIN".encode())
        found = logins.database(settings(tmp_path, database=reader))
        assert "not permitted to log in" in found.text
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as conn:
            conn.execute(f"DROP ROLE {role}".encode())


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    assert logins.home(settings(tmp_path)).level is Level.OK
    found = logins.home(settings(tmp_path / "none"))
    assert (found.level, found.setting) == (Level.ERROR, "mesh.home")
    assert "want a folder to write to" in found.text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://u:p@a:1,nats://u:p@b:2,nats://c:3", "nats://u:***@a:1,nats://u:***@b:2,nats://c:3"),
        ("postgresql://u:s3@h/db", "postgresql://u:***@h/db"),
        ("nats://a:1,nats://b:2,nats://c:3", "nats://a:1,nats://b:2,nats://c:3"),
    ],
)
def test_a_password_never_shows(url: str, shown: str) -> None:
    assert logins.without_password(url) == shown
