"""Configuration: file, environment and defaults; every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from qmtl.config.settings import DEFAULT_ADDRESSES, ServiceSettings, load
from qmtl.core.errors import InvalidRequest, QmtlError, Violation


class Settings(ServiceSettings):
    """A service of the test's own."""

    service: str = "gateway"
    burst: int = 10
    topics: tuple[str, ...] = ()


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "qmtl.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_whatever_variables_such_as_home_are_set() -> None:
    settings = Settings()
    assert settings.mesh.home == Path(".qmtl")
    assert settings.bind == DEFAULT_ADDRESSES["gateway"]
    assert settings.metrics_port == 7720
    assert settings.database_url.endswith(".qmtl/state/gateway.db")
    assert settings.sqlite_synchronous == "NORMAL"


def test_environment_is_above_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, '[mesh]\nhome = "/h"\n[gateway]\nburst = 3\ntopics = ["a"]\n')
    settings = load("gateway", Settings, file, {"QMTL__GATEWAY__BURST": "4", "QMTL__GATEWAY__BIND": "127.0.0.1:0"})
    assert (settings.burst, settings.topics, settings.metrics_port) == (4, ("a",), 0)
    assert settings.database_url == "sqlite:////h/state/gateway.db"
    lists = load("gateway", Settings, file, {"QMTL__GATEWAY__TOPICS": '["b","c"]'})
    assert lists.topics == ("b", "c")


def test_written_out_defaults_are_the_defaults(tmp_path: Path) -> None:
    unset = 'bind = ""\nmetrics_port = -1\ndatabase_url = ""\nsqlite_synchronous = ""\nlog_level = ""\ntls_cert = ""\n'
    file = write(tmp_path, f'[mesh]\nnats_credentials = ""\n[gateway]\n{unset}')
    assert load("gateway", Settings, file, {"QMTL__GATEWAY__TLS_KEY": ""}) == load("gateway", Settings, None, {})


def test_environment_names_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "[gateway]\nburst = 3\n")
    assert load("gateway", Settings, None, {"QMTL_CONFIG": str(file)}).burst == 3
    with pytest.raises(InvalidRequest, match="none"):
        load("gateway", Settings, None, {"QMTL_CONFIG": str(tmp_path / "none.toml")})


def test_one_address_leaves_the_others(tmp_path: Path) -> None:
    file = write(tmp_path, '[mesh.addresses]\ngateway = "127.0.0.1:1"\n')
    mesh = load("gateway", Settings, file, {"QMTL__MESH__ADDRESSES__SEAMLESS": "127.0.0.1:2"}).mesh
    assert mesh.addresses == {**DEFAULT_ADDRESSES, "gateway": "127.0.0.1:1", "seamless": "127.0.0.1:2"}


@pytest.mark.parametrize(
    ("text", "environ", "named"),
    [
        ("[gateway]\nbrust = 3\n", {}, "gateway.brust"),
        ("[gatway]\nburst = 3\n", {}, "gatway"),
        ("[mesh]\nhoem = 'x'\n", {}, "mesh.hoem"),
        ("[gateway]\nburst = 'many'\n", {}, "gateway.burst"),
        ("[mesh.addresses]\ngatway = '127.0.0.1:1'\n", {}, "mesh.addresses"),
        ("[gateway]\nbind = 'here'\n", {}, "gateway"),
        ("[gateway]\nservice = 'x'\n", {}, "gateway.service"),
        ("[mesh]\nprofile = 'test'\n", {}, "mesh.profile"),
        ("", {"QMTL__GATEWAY__BRUST": "1"}, "gateway.brust"),
        ("", {"QMTL__GATEWAY": "1"}, "QMTL__GATEWAY"),
        ("", {"QMTL__GATEWAY__TOPICS": "[x"}, "QMTL__GATEWAY__TOPICS"),
        ("[gateway]\nburst = 1\n", {"QMTL__GATEWAY__BURST__X": "1"}, "QMTL__GATEWAY__BURST__X"),
    ],
)
def test_mistake_is_named(tmp_path: Path, text: str, environ: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        load("gateway", Settings, write(tmp_path, text), environ)
    assert caught.value.reason == "E_CONFIG"
    assert caught.value.violations[0].field == named


def test_broken_or_missing_file_is_named(tmp_path: Path) -> None:
    for file in (tmp_path / "none.toml", write(tmp_path, "[")):
        with pytest.raises(InvalidRequest, match=file.name):
            load("gateway", Settings, file, {})


def test_prod_refuses_to_start_without_its_settings(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        load("gateway", Settings, write(tmp_path, "[mesh]\nprofile = 'prod'\n"), {})
    for name in (
        "gateway.tls_cert",
        "gateway.tls_key",
        "mesh.issuers",
        "gateway.nats_credentials",
        "gateway.database_url",
    ):
        assert name in caught.value.message


def test_settings_are_frozen() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.burst = 5


def test_error_says_reason_message_and_hint() -> None:
    error = QmtlError("E_X", "x is 1, want 2", hint="say 2", violations=[Violation("x", "1", "2")])
    assert str(error) == "E_X: x is 1, want 2 (say 2)"
    assert error.violations == (Violation("x", "1", "2"),)
    assert str(error.violations[0]) == "x is 1, want 2"
