"""`qmtl prod`: a folder that every service accepts, private, renewed without changing what others hold."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qmtl.cli.local.config_check import settings_class
from qmtl.cli.prod.topology import NATS, read_topology
from qmtl.config import certificates
from qmtl.config.settings import load
from qmtl.core.clock import SystemClock
from qmtl.core.roles import Role
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.credentials import OwnCredentials
from qmtl.rpc.outages import Outages
from qmtl.rpc.telemetry.metrics import Metrics
from qmtl.rpc.tls import files_of
from tests.cli.conftest import Invoke

DATABASE = "postgresql://qmtl:hunter2@10.0.0.9:5432"


@pytest.fixture
def folder(tmp_path: Path, invoke: Invoke) -> Path:
    place = tmp_path / "mesh"
    hosts: tuple[str, ...] = ("--host", "10.0.0.1", "--host", "10.0.0.2")
    missing = invoke("prod", "init", "--dir", place, "--database", DATABASE, *hosts)
    assert "--artifacts is not given" in missing.stderr
    assert not place.exists()
    hosts = (*hosts, "--artifacts", "/mnt/qmtl")
    done = invoke("prod", "init", "--dir", place, "--database", DATABASE, *hosts)
    assert done.returncode == 0, done.stderr
    assert "hunter2" not in done.stdout
    return place


def test_every_file_is_its_owners_alone_and_what_signs_leaves_the_folder_of_no_process(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 60
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_dir()} == {0o700}
    below = [path.name for process in read_topology(folder).processes for path in (folder / process.name).rglob("*")]
    assert not {"ca.key", "issuer.jwk", "mesh.json"} & set(below)


def test_each_service_accepts_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for process in read_topology(folder).processes:
        if process.kind == NATS:
            continue
        monkeypatch.chdir(folder / process.name)
        settings = load(process.kind, settings_class(process.kind), None, {})
        assert settings.bind == process.address
        assert settings.database_url == f"{DATABASE}/qmtl_{process.kind}"
        clock, metrics = SystemClock(), Metrics()
        authenticator = Authenticator.from_settings(settings)
        OwnCredentials(settings, authenticator, clock, metrics.registry, Outages(clock, metrics).note).check()
        loaded = certificates.load(files_of(settings))
        assert loaded.expires_at is not None
        assert abs(loaded.expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)


def test_a_mesh_is_never_overwritten(folder: Path, invoke: Invoke) -> None:
    before = (folder / "ca.key").read_bytes()
    again = invoke("prod", "init", "--dir", folder, "--database", DATABASE, "--host", "10.0.0.1")
    assert "E_FILE_EXISTS" in again.stderr
    assert (folder / "ca.key").read_bytes() == before
    sqlite = invoke("prod", "init", "--dir", folder / "x", "--database", "sqlite:///x", "--host", "10.0.0.1")
    assert "--database is sqlite:///x, want postgresql://" in sqlite.stderr


def test_certificates_are_renewed_over_their_keys_unless_new_ones_are_asked_for(folder: Path, invoke: Invoke) -> None:
    def pair(name: str = "gateway-1") -> tuple[bytes, bytes]:
        return (folder / name / "tls.crt").read_bytes(), (folder / name / "tls.key").read_bytes()

    first, node = pair(), pair("nats-2")
    shown = invoke("prod", "certs", "renew", "--dir", folder, "--days", "10")
    assert (shown.returncode, "gateway-1" in shown.stdout) == (0, True)
    renewed = pair()
    assert (renewed[0] != first[0], renewed[1] == first[1], pair("nats-2")[0] != node[0]) == (True, True, True)
    invoke("prod", "certs", "renew", "--dir", folder, "--new-keys")
    assert pair()[1] != renewed[1]
    files = certificates.CertificateFiles(folder / "gateway-1/tls.crt", folder / "gateway-1/tls.key", folder / "ca.pem")
    assert certificates.load(files).expires_at is not None


def test_service_tokens_are_renewed_and_user_tokens_minted(
    folder: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "gateway-1")
    authenticator = Authenticator.from_settings(load("gateway", settings_class("gateway"), None, {}))
    file = folder / "gateway-1/home/tokens/service-gateway.jwt"
    before = authenticator.service_token_ends(file.read_text(), "gateway")
    assert invoke("prod", "tokens", "renew", "--dir", folder, "--days", "60").returncode == 0
    after = authenticator.service_token_ends(file.read_text(), "gateway")
    assert timedelta(days=29) < after - before < timedelta(days=31)
    shown = invoke("prod", "user", "--dir", folder, "--subject", "ann", "--role", "operator", "--world", "w1")
    identity = authenticator.user(shown.stdout.strip())
    assert (identity.subject, identity.role, identity.worlds) == ("ann", Role.OPERATOR, frozenset({"w1"}))


def test_a_folder_without_a_mesh_is_named(tmp_path: Path, invoke: Invoke) -> None:
    for args in (("certs", "renew"), ("tokens", "renew"), ("user", "--subject", "a")):
        assert "E_PROD_FOLDER" in invoke("prod", *args, "--dir", tmp_path).stderr
