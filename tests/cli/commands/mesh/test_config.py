"""`qmtl config`: every mistake in a file or in the environment is named."""

from __future__ import annotations

import json
import socket
import tomllib
from pathlib import Path

import pytest

from qmtl.config.settings import SECTIONS
from tests.cli.conftest import Invoke

PROD = """\
[mesh]
profile = "prod"
nats_url = "nats://127.0.0.1:{port}"
nats_credentials = "{folder}/nats.creds"
otlp_endpoint = "http://127.0.0.1:{port}"
issuers = [{{ issuer = "https://id.example", jwks = "{folder}/jwks.json" }}]
"""
SERVICE = """\
[{service}]
tls_cert = "{folder}/cert.pem"
tls_key = "{folder}/key.pem"
tls_client_ca = "{folder}/ca.pem"
database_url = "postgresql+psycopg://qmtl:hunter2@127.0.0.1:{port}/{service}"
"""


def errors(invoke: Invoke, *args: str | Path, **environ: str) -> dict[str, str]:
    """The settings that are wrong and what is said of each."""
    done = invoke("config", "validate", "--json", *args, **environ)
    found = json.loads(done.stdout)
    wrong = {item["setting"]: item["text"] for item in found if item["level"] == "error"}
    assert done.returncode == (1 if wrong else 0), done.stderr
    return wrong


def test_generated_file_is_valid_and_holds_every_section(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "qmtl.toml"
    assert invoke("config", "generate", "--out", file).returncode == 0
    text = file.read_text(encoding="utf-8")
    assert sorted(tomllib.loads(text)) == sorted(SECTIONS)
    lines = [
        line.removeprefix("# ").partition("  # default:")[0]
        for line in text.splitlines()
        if "= " in line or "[" in line
    ]
    uncommented = tmp_path / "uncommented.toml"
    uncommented.write_text("\n".join(lines), encoding="utf-8")
    shown = [json.loads(invoke("config", "show", "--config", each).stdout) for each in (file, uncommented)]
    assert shown[0] == shown[1]
    assert errors(invoke) == {}
    again = invoke("config", "generate", "--out", file)
    assert (again.returncode, "E_FILE_EXISTS" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("text", "environ", "named"),
    [
        ("[gateway]\nbrust = 3\n", {}, "gateway.brust"),
        ("[gatway]\nx = 3\n", {}, "gatway"),
        ("[mesh]\nhoem = 'x'\n", {}, "mesh.hoem"),
        ("[mesh]\nprofile = 'test'\n", {}, "mesh.profile"),
        ("[brokerage]\nmetrics_port = 70000\n", {}, "brokerage.metrics_port"),
        ("[seamless]\nbind = 'here'\n", {}, "seamless"),
        ("", {"QMTL__WORLDSERVICE__TYPO": "1"}, "worldservice.typo"),
        ("[", {}, "file"),
    ],
)
def test_mistake_is_named(invoke: Invoke, tmp_path: Path, text: str, environ: dict[str, str], named: str) -> None:
    (tmp_path / "qmtl.toml").write_text(text, encoding="utf-8")
    assert list(errors(invoke, "--offline", **environ)) == [named]


def test_mistakes_of_all_sections_are_named_at_once(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "qmtl.toml").write_text("[gateway]\na = 1\nb = 2\n[seamless]\nc = 3\n", encoding="utf-8")
    assert sorted(errors(invoke, "--offline")) == ["gateway.a", "gateway.b", "seamless.c"]


def test_prod_names_what_is_missing(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "qmtl.toml").write_text("[mesh]\nprofile = 'prod'\n", encoding="utf-8")
    wrong = errors(invoke, "--offline")
    assert sorted(wrong) == sorted(section for section in SECTIONS if section != "mesh")
    for name in ("gateway.tls_key", "mesh.issuers", "mesh.nats_credentials"):
        assert name in wrong["gateway"]


def prod_files(folder: Path, port: int) -> None:
    """A complete prod configuration with all its files."""
    for name in ("nats.creds", "jwks.json", "cert.pem", "key.pem", "ca.pem"):
        (folder / name).write_text("x", encoding="utf-8")
        (folder / name).chmod(0o600)
    sections = [SERVICE.format(service=name, port=port, folder=folder) for name in SECTIONS if name != "mesh"]
    (folder / "qmtl.toml").write_text(PROD.format(port=port, folder=folder) + "".join(sections), encoding="utf-8")


def test_missing_and_exposed_secrets_are_named(invoke: Invoke, tmp_path: Path) -> None:
    prod_files(tmp_path, 1)
    assert errors(invoke, "--offline") == {}
    (tmp_path / "nats.creds").unlink()
    (tmp_path / "key.pem").chmod(0o644)
    wrong = errors(invoke, "--offline")
    assert "cannot be read" in wrong["mesh.nats_credentials"]
    assert "want 0600" in wrong["gateway.tls_key"]


def test_unreachable_dependencies_are_named_without_their_passwords(invoke: Invoke, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        prod_files(tmp_path, port)
        assert errors(invoke) == {}
    wrong = errors(invoke)
    databases = {f"{name}.database_url" for name in SECTIONS if name != "mesh"}
    assert set(wrong) == {"mesh.nats_url", "mesh.otlp_endpoint", *databases}
    assert "hunter2" not in json.dumps(wrong)
    assert "unreachable" in wrong["gateway.database_url"]


def test_show_merges_and_masks(invoke: Invoke, tmp_path: Path) -> None:
    prod_files(tmp_path, 1)
    done = invoke("config", "show", QMTL__GATEWAY__BIND="127.0.0.1:1234")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["gateway"]["bind"] == "127.0.0.1:1234"
    assert shown["gateway"]["metrics_port"] == 1254
    assert "hunter2" not in done.stdout
    assert "qmtl:***@" in shown["gateway"]["database_url"]
