"""`qmtl config`: every mistake in a file or in the environment is named."""

from __future__ import annotations

import asyncio
import json
import tomllib
from pathlib import Path

import pytest

from controlbus.jetstream.permissions import seed_path, write_seeds
from qmtl.config.files import write_private
from qmtl.config.settings import SECTIONS, SERVICES
from qmtl.rpc.auth.keys import DEV_ISSUER, ensure_dev_keys
from qmtl.rpc.auth.tokens import mint_service_token, service_token_path
from tests.cli.conftest import Invoke
from tests.exchange.binance.client import KEYS, opened
from tests.exchange.binance.spot import BinanceSpot
from tests.exchange.server import serving
from tests.rpc.certificates import authority

PROD = """\
[mesh]
profile = "prod"
nats_url = "nats://127.0.0.1:{port}"
home = "{home}"
nats_credentials = "{folder}/nats.nk"
otlp_endpoint = "http://127.0.0.1:{port}"
issuers = [{{ issuer = "{issuer}", jwks = "{home}/keys/jwks.json", audience = "qmtl-service" }}]
"""
SERVICE = """\
[{service}]
tls_cert = "{cert}"
tls_key = "{key}"
tls_client_ca = "{ca}"
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
    for name in ("gateway.tls_key", "mesh.issuers", "gateway.nats_credentials"):
        assert name in wrong["gateway"]


def prod_files(folder: Path, port: int) -> None:
    """A complete prod configuration with all its files, of one certificate for all."""
    ca = authority(folder, "ca")
    cert, key = ca.issue("mesh")
    home = folder / "home"
    ensure_dev_keys(home)  # an issuer of our own
    for name in SERVICES:
        write_private(service_token_path(home, name), mint_service_token(home, name))
    write_seeds(folder)
    seed_path(folder, "gateway").rename(folder / "nats.nk")
    for path in (cert, key, ca.file):
        path.chmod(0o600)
    own = {"folder": folder, "port": port, "cert": cert, "key": key, "ca": ca.file, "home": home, "issuer": DEV_ISSUER}
    sections = [SERVICE.format(service=name, **own) for name in SERVICES]
    (folder / "qmtl.toml").write_text(PROD.format(**own) + "".join(sections), encoding="utf-8")


def test_missing_exposed_and_wrong_secrets_are_named(invoke: Invoke, tmp_path: Path) -> None:
    prod_files(tmp_path, 1)
    assert errors(invoke, "--offline") == {}
    (tmp_path / "nats.nk").unlink()
    (tmp_path / "mesh.key").chmod(0o644)
    service_token_path(tmp_path / "home", "brokerage").unlink()
    wrong = errors(invoke, "--offline")
    assert "No such file" in wrong["mesh.nats_credentials"]
    assert "want 0600" in wrong["gateway.tls_key"]
    assert "No such file" in wrong["brokerage.service_token"]
    (tmp_path / "mesh.key").write_bytes(authority(tmp_path, "other").issue("stranger")[1].read_bytes())
    assert "belongs to another certificate" in errors(invoke, "--offline")["gateway.tls_key"]


def test_only_the_services_asked_for_are_looked_at(invoke: Invoke, tmp_path: Path) -> None:
    prod_files(tmp_path, 1)
    service_token_path(tmp_path / "home", "brokerage").unlink()
    assert errors(invoke, "--offline", "--service", "gateway") == {}
    assert list(errors(invoke, "--offline", "--service", "brokerage")) == ["brokerage.service_token"]
    assert "--service is 'x', want one of" in invoke("config", "validate", "--service", "x").stderr


def test_where_nothing_answers_every_dependency_is_named_without_its_password(invoke: Invoke, tmp_path: Path) -> None:
    prod_files(tmp_path, 1)
    wrong = errors(invoke, "--service", "gateway")
    assert set(wrong) == {"mesh.nats_url", "mesh.otlp_endpoint", "gateway.database_url"}
    assert "hunter2" not in json.dumps(wrong)
    assert "qmtl:***@127.0.0.1:1/gateway" in wrong["gateway.database_url"]
    assert "refused" in wrong["gateway.database_url"]
    assert "nats://127.0.0.1:1 does not let gateway in" in wrong["mesh.nats_url"]


def test_show_merges_and_masks(invoke: Invoke, tmp_path: Path) -> None:
    prod_files(tmp_path, 1)
    done = invoke("config", "show", QMTL__GATEWAY__BIND="127.0.0.1:1234")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["gateway"]["bind"] == "127.0.0.1:1234"
    assert shown["gateway"]["metrics_port"] == 1254
    assert "hunter2" not in done.stdout
    assert "qmtl:***@" in shown["gateway"]["database_url"]


async def test_validate_logs_in_at_the_venues_of_the_settings_and_shows_no_key(invoke: Invoke, tmp_path: Path) -> None:
    credentials = tmp_path / "home" / "credentials"
    credentials.mkdir(mode=0o700, parents=True)
    write_private(credentials / "binance-main.toml", f'api_key = "{KEYS.api_key}"\nsecret = "hidden-word"\n')
    exchange = opened()
    async with serving(exchange, BinanceSpot(exchange)) as address:
        (tmp_path / "qmtl.toml").write_text(
            f'[mesh]\nhome = "{tmp_path}/home"\n[brokerage.venues.main]\nexchange = "binance"\n'
            f'symbols = ["BTC/USDT"]\nstage = "local"\naddress = "{address}"\n',
            encoding="utf-8",
        )
        wrong = await asyncio.to_thread(errors, invoke)
        assert list(wrong) == ["brokerage.venues.main"]
        assert "refuses the login: " in wrong["brokerage.venues.main"]
        assert "hidden-word" not in wrong["brokerage.venues.main"]
        assert await asyncio.to_thread(errors, invoke, "--offline") == {}
        assert await asyncio.to_thread(errors, invoke, "--service", "gateway") == {}
        exchange.accounts["client"].secret = "hidden-word"
        assert await asyncio.to_thread(errors, invoke) == {}
