"""`qmtl project`: what a person sees of making and changing a project."""

from __future__ import annotations

import json
import os
import pty
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from qmtl.project.project_file import RUNNING, read_project_file
from tests.cli.conftest import Invoke, environment
from tests.project.packages import ACME, install

Edit = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path, invoke: Invoke) -> Path:
    """A minimal project."""
    made = invoke("project", "init", "--preset", "minimal", "--set", "name=first", "--path", tmp_path / "first")
    assert made.returncode == 0, made.stderr
    return tmp_path / "first"


def test_a_dry_run_writes_nothing_and_a_folder_in_use_is_refused(tmp_path: Path, invoke: Invoke) -> None:
    shown = invoke("project", "init", "--layers", "signal", "--with-requires", "--path", tmp_path / "p", "--dry-run")
    assert "added data: the chosen layers need it" in shown.stdout
    assert not (tmp_path / "p").exists()
    refused = invoke("project", "init", "--layers", "signal", "--path", tmp_path / "p")
    assert "E_LAYER_REQUIRES: signal cannot be without data" in refused.stderr
    assert f"qmtl project init --path {tmp_path / 'p'} --layers signal --with-requires" in refused.stderr
    assert "E_PARAMETER" in invoke("project", "init", "--path", tmp_path / "p", "--set", "fast=0").stderr
    assert "E_FIELD" in invoke("project", "init", "--path", tmp_path / "p", "--set", "fast").stderr
    (tmp_path / "p").write_text("in use")
    assert "E_PROJECT_NOT_EMPTY" in invoke("project", "init", "--path", tmp_path / "p").stderr


def test_what_there_is_to_choose_from_is_listed(invoke: Invoke) -> None:
    presets = json.loads(invoke("project", "list-presets", "--json").stdout)
    assert [one["name"] for one in presets] == ["minimal", "production", "research"]
    listed = invoke("project", "layer", "list", "--show-templates", "--show-requires").stdout
    assert "signal      indicators, transforms, models; no orders (needs data)" in listed
    assert "canary_guard" in listed


def test_a_template_of_another_package_goes_the_whole_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, invoke: Invoke
) -> None:
    packages = tmp_path / "site-packages"
    install(packages, "acme-templates", ACME)
    install(packages, "rotten", {"data/mine/template.toml": "name = 1"})
    monkeypatch.syspath_prepend(packages)
    presets = json.loads(invoke("project", "list-presets", "--json").stdout)
    assert ("acme", "acme-templates 1.2.0") in [(one["name"], one["source"]) for one in presets]
    listed = invoke("project", "layer", "list", "--show-templates")
    assert "breakout           of a test [acme-templates 1.2.0]" in listed.stdout
    assert "warning: rotten 1.2.0: data/mine is left out: E_TEMPLATE_METADATA" in listed.stderr
    folder = tmp_path / "p"
    made = invoke("project", "init", "--preset", "acme", "--path", folder)
    assert made.returncode == 0, made.stderr
    assert "MARGIN = 0.02" in (folder / "layers" / "signal" / "__init__.py").read_text()
    used = read_project_file(folder, RUNNING).templates["signal"]
    assert (used.template, used.source) == ("breakout", "acme-templates 1.2.0")
    assert invoke("project", "layer", "validate", "--path", folder).stdout == "validate: 0 errors, 0 warnings\n"
    assert invoke("project", "update", "--check", "--path", folder).stdout == "up to date\n"


def test_a_layer_is_added_and_an_update_waits_only_where_something_changes(folder: Path, invoke: Invoke) -> None:
    asked = invoke("project", "layer", "add", "execution", "--path", folder)
    assert "E_PROJECT_DIRTY" in asked.stderr  # nobody to ask
    assert "+def orders(" in asked.stdout
    assert "E_LAYER_REQUIRES" in invoke("project", "layer", "add", "brokerage", "--path", folder, "--yes").stderr
    added = invoke("project", "layer", "add", "brokerage", "--path", folder, "--yes", "--with-requires")
    assert added.returncode == 0, added.stderr
    assert "added execution: brokerage needs it" in added.stdout
    assert added.stdout.splitlines()[-1] == "validate: 0 errors, 0 warnings"
    assert invoke("project", "update", "--check", "--path", folder).returncode == 0
    waits = invoke("project", "update", "--check", "--set", "fast=12", "--path", folder)
    assert (waits.returncode, waits.stdout) == (1, "an update waits\n")
    assert "-FAST, SLOW = 24, 96" in invoke("project", "diff", "--set", "fast=12", "--path", folder).stdout
    (folder / "strategy.py").unlink()
    shown = json.loads(invoke("project", "show", "--path", folder, "--json").stdout)
    assert shown["changed"] == {"strategy.py": "deleted"}
    assert "E_PROJECT_NEWER" in invoke("project", "update", "--to", "99", "--path", folder).stderr


def test_two_changes_that_meet_end_with_one_and_name_the_file(folder: Path, invoke: Invoke) -> None:
    readme = folder / "README.md"
    readme.write_text(readme.read_text().replace("# first", "# mine"))
    done = invoke("project", "update", "--set", "name=second", "--yes", "--path", folder)
    assert done.returncode == 1
    assert "E_MERGE_CONFLICT: both changed the same lines of README.md" in done.stderr
    assert "# mine" in readme.read_text()


def _append(path: str, text: str) -> Edit:
    def edit(folder: Path) -> None:
        file = folder / path
        file.write_text((file.read_text() if file.exists() else "") + text)

    return edit


PLANTED: dict[str, tuple[Edit, str]] = {
    "a secret": (_append("notes.md", "\nkey AKIA" + "ABCDEFGHIJKLMNOP\n"), "E_SECRET_IN_FILE"),
    "a secret in a setting": (_append("my.toml", 'api_key = "q8Zt4' + 'vXr1LpWy7NkBs3Dm"\n'), "E_SECRET_IN_FILE"),
    "an import upwards": (_append("layers/data/more.py", "from layers.signal import signals\n"), "imports"),
    "a relative import upwards": (_append("layers/data/more.py", "from ..signal import signals\n"), "imports"),
    "a wrong signature": (_append("layers/data/__init__.py", "\ndef inputs(x: int) -> int:\n    return x\n"), "layer"),
    "a wrong kind": (
        _append("layers/signal/__init__.py", "\n\ndef signals(inputs):\n    return {'target': 1.0}\n"),
        "layer_kinds",
    ),
    "a connection": (
        _append("strategy.py", "\nimport socket\nsocket.create_connection(('127.0.0.1', 9))\n"),
        "strategy",
    ),
    "a mistake": (_append("strategy.py", "\n1 / 0\n"), "strategy"),
    "an end": (_append("strategy.py", "\nimport sys\nsys.exit(0)\n"), "strategy"),
    "a process": (_append("strategy.py", "\nimport os\nos.system('true')\n"), "strategy"),
    "a file": (_append("strategy.py", "\nopen('left.txt', 'w')\n"), "strategy"),
    "a delayed stream": (
        _append(
            "layers/signal/__init__.py",
            "\n\ndef signals(inputs):\n    from qmtl.sdk import labels\n    price = inputs['price']\n"
            "    return {'target': labels.triple_barrier(price, ta.rolling_vol(price, 9), 9, profit=1.0, loss=1.0)}\n",
        ),
        "layer_kinds",
    ),
    "the order of a set": (
        _append(
            "layers/signal/__init__.py",
            "\n\n_signals = signals\n\n\ndef signals(inputs):\n    names = {f'n{i}' for i in range(30)}\n"
            "    price = inputs['price']\n    average = ta.ema(price, 2 + list(names).index('n0'))\n"
            "    direction = decisions.trend(average, ta.ema(price, SLOW))\n"
            "    return {'target': decisions.position_target(direction, long=LONG, short=0.0)}\n",
        ),
        "node_ids",
    ),
}


def test_validate_finds_everything_that_is_planted_at_once(folder: Path, invoke: Invoke) -> None:
    for name in ("a secret", "a secret in a setting", "an import upwards", "a wrong kind", "a mistake"):
        PLANTED[name][0](folder)
    _append("layers/data/more.py", "import time\nprint(time.time())\n")(folder)
    found = json.loads(invoke("project", "layer", "validate", "--path", folder, "--json").stdout)
    errors = {one["rule"] for one in found if one["error"]}
    assert errors == {"E_SECRET_IN_FILE", "imports", "layer_kinds", "strategy"}
    assert [(one["rule"], one["line"], one["found"]) for one in found if not one["error"]] == [
        ("clock", 3, "time.time()")
    ]
    assert [one["line"] for one in found if one["file"] == "notes.md"] == [2]
    assert {one["file"] for one in found} == {"notes.md", "my.toml", "layers/data/more.py", "layers/signal/__init__.py",
                                              "strategy.py"}  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize("planted", PLANTED)
def test_validate_finds_each_thing_that_is_planted(folder: Path, invoke: Invoke, planted: str) -> None:
    edit, rule = PLANTED[planted]
    edit(folder)
    done = invoke("project", "layer", "validate", "--path", folder)
    assert done.returncode == 1
    assert rule in done.stdout


@pytest.mark.soak
@pytest.mark.timeout(120)
@pytest.mark.parametrize("layer", ["brokerage", "monitoring"])
def test_validate_knows_what_a_layer_that_no_node_is_made_of_returns(
    tmp_path: Path, invoke: Invoke, layer: str
) -> None:
    folder = tmp_path / "p"
    invoke("project", "init", "--layers", layer, "--with-requires", "--path", folder)
    function = {"brokerage": "profile", "monitoring": "monitors"}[layer]
    _append(f"layers/{layer}/__init__.py", f"\n\ndef {function}():\n    return 1\n")(folder)
    done = invoke("project", "layer", "validate", "--path", folder)
    assert (done.returncode, "layer_kinds: " in done.stdout) == (1, True), done.stdout


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_validate_ends_a_strategy_that_never_ends(folder: Path, invoke: Invoke) -> None:
    _append("strategy.py", "\nwhile True:\n    pass\n")(folder)
    done = invoke("project", "layer", "validate", "--path", folder)
    assert (done.returncode, "not built after 30 s" in done.stdout) == (1, True)


def on_a_terminal(folder: Path, typed: str, *words: str) -> str:
    """What a person on a terminal sees who types these lines."""
    seen = b""
    process, terminal = pty.fork()
    if not process:
        os.chdir(folder)
        os.execve(sys.executable, [sys.executable, "-m", "qmtl.cli", "project", *words], environment())
    os.write(terminal, typed.encode())
    with suppress(OSError):  # the end of a terminal whose process has ended
        while part := os.read(terminal, 4096):
            seen += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, seen
    return seen.decode().replace("\r\n", "\n")


@pytest.mark.timeout(60)
def test_on_a_terminal_a_project_is_asked_for(tmp_path: Path) -> None:
    seen = on_a_terminal(tmp_path, "\nasked\nhere\n", "init")
    assert all(question in seen for question in ("Preset [minimal]:", "Name [my-strategy]:", "World [research]:"))
    answers = read_project_file(tmp_path / "asked", RUNNING).answers
    assert (answers["name"], answers["world"]) == ("asked", "here")
    assert seen.splitlines()[-5:] == [
        "next:", "  cd asked", f'  pip install "qmtl>={RUNNING},<1" "pytest>=8.4"', "  pytest",
        "  qmtl backtest strategy.py --data data/SYNTHETIC.csv --quote USD",
    ]  # fmt: skip


@pytest.mark.soak
@pytest.mark.timeout(60)
def test_on_a_terminal_a_layer_that_is_needed_is_offered(tmp_path: Path) -> None:
    seen = on_a_terminal(tmp_path, "y\n", "init", "--layers", "execution", "--path", "p")
    assert "execution cannot be without data, signal. Add data,signal too? [y/N]:" in seen
    assert "added data: the chosen layers need it" in seen
    seen = on_a_terminal(tmp_path, "y\ny\n", "layer", "add", "brokerage", "--path", "p")
    assert "Write it? [y/N]" in seen
    assert set(read_project_file(tmp_path / "p", RUNNING).templates) > {"execution", "brokerage"}
