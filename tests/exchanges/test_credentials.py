"""Credentials: from one source whole, private, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from qmtl.core.errors import InvalidRequest, NotFound
from qmtl.exchanges.credentials import Credentials, read_credentials

ENV = {"QMTL_BINANCE_MAIN_API_KEY": "k", "QMTL_BINANCE_MAIN_SECRET": "s"}


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "binance-main.toml"
    path.write_text(text)
    path.chmod(mode)
    return folder


def test_the_environment_comes_first_and_whole(tmp_path: Path) -> None:
    folder = written(tmp_path, 'api_key = "other"\nsecret = "other"\npassword = "other"\n')
    assert read_credentials("binance", "main", ENV, folder) == Credentials("k", "s")
    named = {**ENV, "QMTL_BINANCE_MAIN_PASSWORD": "p"}
    assert read_credentials("binance", "main", named, folder).password == "p"
    dashed = {"QMTL_BINANCE_SUB_1_API_KEY": "k", "QMTL_BINANCE_SUB_1_SECRET": "s"}
    assert read_credentials("binance", "sub-1", dashed, folder) == Credentials("k", "s")


def test_a_file_of_its_own(tmp_path: Path) -> None:
    folder = written(tmp_path, 'api_key = "k"\nsecret = "s"\npassword = "p"\n')
    assert read_credentials("binance", "main", {}, folder) == Credentials("k", "s", "p")


def test_their_text_is_never_shown() -> None:
    made = Credentials("the-key", "the-secret", "the-word")
    assert all(word not in f"{made} {made!r}" for word in ("the-key", "the-secret", "the-word"))


def test_none_at_all_is_told_with_where_they_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"E_CREDENTIALS_MISSING.*binance-main\.toml"):
        read_credentials("binance", "main", {}, tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    folder = written(tmp_path, 'api_key = "k"\nsecret = "s"\n', mode)
    with pytest.raises(InvalidRequest, match=r"E_CREDENTIALS_INVALID.*0600"):
        read_credentials("binance", "main", {}, folder)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ('api_key = "k"\n', "lacks secret"),
        ('secret = "s"\n', "lacks api_key"),
        ("", "lacks api_key and secret"),
        ('api_key = ""\nsecret = "s"\n', "lacks api_key"),
        ('api_key = 5\nsecret = "s"\n', "no text"),
        ('api_key = "k"\nsecret = "s"\nother = "x"\n', "has more than"),
        ("api_key", "is no TOML"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_without_its_content(tmp_path: Path, text: str, want: str) -> None:
    with pytest.raises(InvalidRequest, match=want) as caught:
        read_credentials("binance", "main", {}, written(tmp_path, text))
    assert caught.value.reason == "E_CREDENTIALS_INVALID"
    assert '"k"' not in str(caught.value)


def test_half_of_the_environment_is_not_completed_from_the_file(tmp_path: Path) -> None:
    folder = written(tmp_path, 'api_key = "k"\nsecret = "s"\n')
    with pytest.raises(InvalidRequest, match="lacks secret"):
        read_credentials("binance", "main", {"QMTL_BINANCE_MAIN_API_KEY": "k"}, folder)


@pytest.mark.parametrize("name", ["", "../x", "Binance", "a b", "x" * 65, "-x"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    for exchange, account in ((name, "main"), ("binance", name)):
        with pytest.raises(InvalidRequest, match="E_CREDENTIALS_INVALID"):
            read_credentials(exchange, account, ENV, tmp_path)
