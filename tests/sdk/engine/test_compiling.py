"""What was compiled is kept for the code and values it was made of, and run by nobody else's hand."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qmtl.sdk.engine.compiling import KEPT_IN, compiled, is_kept, work_of
from qmtl.sdk.engine.folds import _loop
from qmtl.sdk.execution.compiled.kernel import forward

PLAIN = "import math\n\ndef made(x):\n    return x * 2.0 + math.sqrt(4.0)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv(KEPT_IN, str(tmp_path / "kept"))
    return tmp_path / "kept"


def function(source: str, **given: object) -> Callable[[float], float]:
    """A new function each time, as a new process would have it."""
    scope: dict[str, object] = {"__name__": "of_a_user", **given}
    exec(source, scope)
    found: Callable[[float], float] = scope["made"]  # type: ignore[assignment]  # what it defines
    return found


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.nb[ci]"))


def test_what_was_compiled_is_found_again(folder: Path) -> None:
    assert not is_kept(function(PLAIN))
    assert compiled(function(PLAIN))(1.0) == 4.0
    assert is_kept(function(PLAIN))
    made = files(folder)
    again = compiled(function(PLAIN))
    assert again(1.0) == 4.0
    assert sum(again.stats.cache_hits.values()) == 1  # type: ignore[attr-defined]  # of numba
    assert files(folder) == made


def test_what_was_compiled_with_functions_it_was_given_is_found_by_them(folder: Path) -> None:
    calls, step = "def made(x):\n    return by(x) + 1.0", "def made(x):\n    return x * {}"
    double, triple = function(step.format(2.0)), function(step.format(3.0))
    assert not is_kept(function(calls), by=double)
    assert compiled(function(calls), by=double)(4.0) == 9.0
    assert is_kept(function(calls), by=double)
    assert not is_kept(function(calls), by=triple)


def test_a_function_is_made_once_in_a_process(folder: Path) -> None:
    one = function(PLAIN)
    assert work_of(one).made is None
    made = compiled(one)
    assert work_of(one).made is made
    assert compiled(one) is made
    assert work_of(one, by=one).made is None


@pytest.mark.parametrize(
    ("source", "one", "other"),
    [
        ("def made(x):\n    return x * BY", {"BY": 2.0}, {"BY": 3.0}),
        ("def made(x):\n    return x * BY[1]", {"BY": (1.0, 2.0)}, {"BY": (1.0, 3.0)}),
        ("def made(x):\n    return x * BY[1][0]", {"BY": (1.0, (2.0,))}, {"BY": (1.0, (3.0,))}),
        ("def made(x):\n    return x * BY[700]", {"BY": np.full(2_000, 2.0)}, {"BY": np.full(2_000, 3.0)}),
        (
            "def of(by):\n    def made(x):\n        return x * by\n    return made\nmade = of(BY)",
            {"BY": 2.0},
            {"BY": 3.0},
        ),
        (
            "def of(by):\n    def made(x):\n        return x * by[700]\n    return made\nmade = of(BY)",
            {"BY": np.full(2_000, 2.0)},
            {"BY": np.where(np.arange(2_000) == 700, 3.0, 2.0)},
        ),
        ("def made(x, by=BY):\n    return x * by", {"BY": 2.0}, {"BY": 3.0}),
    ],
)
def test_a_value_that_changed_is_compiled_anew(
    folder: Path, source: str, one: dict[str, object], other: dict[str, object]
) -> None:
    assert compiled(function(source, **one))(5.0) == 10.0
    assert compiled(function(source, **other))(5.0) == 15.0


def test_what_no_text_says_whole_is_not_kept(folder: Path) -> None:
    settings = type(sys)("settings_of_a_user")
    for by in (2.0, 3.0):
        settings.by = by  # type: ignore[attr-defined]  # a module of a user
        assert compiled(function("def made(x):\n    return x * settings.by", settings=settings))(5.0) == 5.0 * by
    assert files(folder) == []


def test_the_kernel_and_the_loop_of_folds_are_kept(folder: Path) -> None:
    assert not is_kept(forward)
    assert not is_kept(_loop)
    assert len(list(folder.glob("c*.py"))) == 2


def test_a_folder_is_made_for_its_owner_alone_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0o002)
    try:
        compiled(function(PLAIN))(1.0)
    finally:
        os.umask(before)
    assert is_kept(function(PLAIN))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_others_can_write_is_not_used(folder: Path) -> None:
    compiled(function(PLAIN))(1.0)
    made = files(folder)
    assert made
    assert stat.S_IMODE((folder / "__pycache__").stat().st_mode) == 0o700
    for place in (folder, folder / "__pycache__"):
        before = place.stat().st_mode
        place.chmod(0o777)
        assert not is_kept(function(PLAIN))
        again = compiled(function(PLAIN))
        assert again(1.0) == 4.0
        assert not again.stats.cache_path  # type: ignore[attr-defined]  # of numba
        place.chmod(before)
    assert is_kept(function(PLAIN))


def test_the_folder_of_another_user_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(function(PLAIN))(1.0)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert not is_kept(function(PLAIN))


def test_a_folder_that_cannot_be_made_costs_the_compiling(folder: Path) -> None:
    folder.write_text("a file where the folder would be")
    assert compiled(function(PLAIN))(1.0) == 4.0
    assert not is_kept(function(PLAIN))


@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x04"])
def test_a_file_that_cannot_be_read_costs_the_compiling(folder: Path, kind: str, content: bytes) -> None:
    compiled(function(PLAIN))(1.0)
    for file in folder.rglob(kind):
        file.write_bytes(content)
    assert compiled(function(PLAIN))(1.0) == 4.0


def test_two_processes_at_once_keep_one_result(folder: Path) -> None:
    code = "import tests.sdk.engine.test_compiling as t; assert t.compiled(t.function(t.PLAIN))(1.0) == 4.0"
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [one.wait(120) for one in both] == [0, 0]
    again = compiled(function(PLAIN))
    assert again(1.0) == 4.0
    assert sum(again.stats.cache_hits.values()) == 1  # type: ignore[attr-defined]  # of numba
    assert not list(folder.rglob("*.tmp.*"))


def test_without_a_home_it_is_compiled_and_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (KEPT_IN, "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "~")  # as of a user without an entry: none is found
    made = function("def made(x):\n    return x * 3.0\n")
    assert not is_kept(made)
    assert compiled(made)(2.0) == 6.0
