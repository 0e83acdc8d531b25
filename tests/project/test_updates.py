"""Projects of earlier versions of the templates, brought up to date: no line of the author is lost, nothing is half."""

from __future__ import annotations

import ast
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from packaging.version import Version

from qmtl.core.errors import QmtlError
from qmtl.project.archive import packed
from qmtl.project.layers import Layer
from qmtl.project.merging import Outcome, merged
from qmtl.project.operations import Project, new_project, planned, version_steps, with_answers
from qmtl.project.parameters import Answer
from qmtl.project.project_file import BASE_FILE, PROJECT_FILE, RUNNING
from qmtl.project.selection import Selection, select
from qmtl.project.shelf import Shelf, Source
from qmtl.project.validation.validate import findings
from qmtl.project.writing import STAGE
from tests.cli.conftest import environment
from tests.project.kept import PROJECTS, Kept, kept, todays
from tests.project.shelves import EDITS, OWN, edited, preset, template_toml, written
from tests.project.test_changing import contents

EVERY = list(kept())
NEWEST = [one for one in EVERY if one.number == EVERY[-1].number]
OLD = [one for one in EVERY if one.number != EVERY[-1].number]
OTHER_ANSWERS: dict[str, Answer] = {"name": "another", "entry": 0.75, "canary_weight": 0.2, "exposure_max": 0.5}
UPDATER = """
import os, sys
from pathlib import Path
from qmtl.project.operations import Project, planned, with_answers
from qmtl.project.shelf import installed_shelf
project = Project.opened(Path(sys.argv[1]))
plan = planned(project, with_answers(installed_shelf(), project, {"name": "another"}))
left = int(sys.argv[2])
def cut(event, args):
    global left
    writes = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")
    if writes or (event == "open" and isinstance(args[1], str) and "w" in args[1]):
        left -= 1
        if left < 0:
            os._exit(7)
sys.addaudithook(cut)
plan.write()
"""


@cache
def updated(number: int, name: str, changed: bool) -> tuple[Selection, dict[str, bytes]]:
    """A kept project with the templates of today, and with other answers where `changed`."""
    one = next(one for one in EVERY if (one.number, one.name) == (number, name))
    selection = with_answers(OWN, opened(one), {})
    others = {key: value for key, value in OTHER_ANSWERS.items() if changed and key in selection.parameters}
    selection = replace(selection, answers={**selection.answers, **others})
    return selection, selection.files()


def opened(one: Kept) -> Project:
    """A kept project without a folder."""
    return Project(Path(f"{one.number}-{one.name}"), one.file, one.files)


def test_every_template_is_kept_at_its_version_of_today_and_one_that_stepped_at_an_earlier_one() -> None:
    """After a step: python -m tests.project.kept."""
    now = {key: template.facts.version for key, template in OWN.templates.items()}
    newest = {key: version for one in NEWEST for key, version in one.versions.items()}
    assert newest == now
    earlier = {key for one in OLD for key, version in one.versions.items() if key in now and version < now[key]}
    assert earlier == {key for key, version in now.items() if version > Version("1.0.0")}
    for one in NEWEST:
        assert one.files == todays(OWN, one.name).files(), "a template changed without a step of its version"
    assert sorted(one.name for one in NEWEST) == sorted(PROJECTS)


@pytest.mark.parametrize("one", OLD, ids=lambda one: f"{one.number}-{one.name}")
def test_a_project_that_nobody_touched_becomes_what_is_rendered_today(one: Kept) -> None:
    selection, files = updated(one.number, one.name, False)
    changes = merged(one.files, files, one.files)
    assert {change.path: change.content for change in changes if change.writes} == {
        path: files.get(path) for path in {*one.files, *files} if files.get(path) != one.files.get(path)
    }
    assert {change.outcome for change in changes} <= {Outcome.CREATED, Outcome.REPLACED, Outcome.REMOVED}
    assert version_steps(opened(one), selection)


def no_line_is_lost(cases: range) -> None:
    """In no case; every kind of edit and of outcome is among them."""
    outcomes, edits = set(), set()
    for number in cases:
        seed = random.Random(number)
        one = OLD[number % len(OLD)]
        _, after = updated(one.number, one.name, bool(seed.randrange(2)))
        ours, owned = {}, {}
        for path, content in one.files.items():
            if path.endswith(".csv"):
                continue
            made, owned[path], kind = edited(content, seed)
            edits.add(kind)
            if made is not None:
                ours[path] = made
            elif kind == "rename":
                ours[f"mine/{path}"] = content
        before = {path: content for path, content in one.files.items() if not path.endswith(".csv")}
        after = {path: content for path, content in after.items() if not path.endswith(".csv")}
        for change in merged(before, after, ours):
            outcomes.add(change.outcome)
            result = (change.content or b"").decode()
            assert all(line in result for line in owned.get(change.path, ())), (number, change)
            assert not change.path.startswith("mine/"), (number, change)
            if change.path in before and change.path not in ours:
                assert change.outcome is Outcome.LEFT_DELETED, (number, change)
    assert outcomes >= {Outcome.KEPT, Outcome.MERGED, Outcome.REPLACED, Outcome.LEFT_DELETED, Outcome.CONFLICT}
    assert edits == set(EDITS)


def test_no_line_of_an_author_is_lost_in_an_update() -> None:
    no_line_is_lost(range(len(OLD)))


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_no_line_of_an_author_is_lost_in_two_thousand_updates() -> None:
    no_line_is_lost(range(2_000))


def cut_at(folder: Path, one: Kept, cut: int) -> bool:
    """An update that ends at its write number `cut`, and the next command; whether the update ended before that."""
    before = contents(one.laid(folder))
    selection, files = updated(one.number, one.name, False)
    selection = replace(selection, answers={**selection.answers, "name": "another"})
    environ = {**environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", UPDATER, str(folder), str(cut)], env=environ, check=False)
    assert done.returncode in (0, 7)
    project = Project.opened(folder)
    now = contents(folder)
    files = selection.files()
    after = {**files, PROJECT_FILE: now[PROJECT_FILE], BASE_FILE: packed(files)}
    assert now in (before, after)
    assert project.file.answers["name"] == ("another" if now == after else "my-strategy")
    assert not (folder / STAGE).exists()
    return done.returncode == 0


@pytest.mark.parametrize("cut", [45])
def test_an_update_that_is_cut_leaves_the_project_of_before_or_the_updated_one(tmp_path: Path, cut: int) -> None:
    cut_at(tmp_path / "p", OLD[1], cut)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_an_update_may_be_cut_at_any_write(tmp_path: Path) -> None:
    for cut in range(500):
        if cut_at(tmp_path / str(cut), OLD[1], cut):
            assert cut > 20
            return
    pytest.fail("an update has more than 500 writes")


def test_a_major_step_says_what_to_do_and_an_answer_that_nobody_asks_for_is_named() -> None:
    one = next(one for one in reversed(OLD) if one.name == "production")
    selection, _ = updated(one.number, one.name, False)
    steps = version_steps(opened(one), selection)
    assert "execution/canary_guard 1.1.0 -> 2.0.0" in steps
    assert any(step.startswith("2.0.0: The stop looks at the drawdown") for step in steps)
    assert "no template asks for fall_max any more; it was 0.05" in steps


def test_migrations_between_two_versions_are_all_shown_and_no_others(tmp_path: Path) -> None:
    notes = "# Steps\n\n## 2.0.0\n\nfirst\n\n## 3.0.0\n\nsecond\n\n## 4.0.0\n\nlater\n"
    own = OWN.template("data", "stream_input").source
    shelves = {}
    for version in ("2.5.0", "3.1.0"):
        folder = tmp_path / version
        metadata = template_toml("monitoring", "m", {"layers/monitoring/__init__.py": "f"}, version=version)
        written(folder, {"monitoring/m/template.toml": metadata, "monitoring/m/f": f"# {version}\n",
                         "monitoring/m/migrations.md": notes})  # fmt: skip
        shelves[version] = Shelf([own, Source("acme", "1.0", folder)])
    before = select(shelves["2.5.0"], RUNNING, layers=["monitoring"], named={"monitoring": "m"})
    new_project(tmp_path / "p", before)
    project = Project.opened(tmp_path / "p")
    steps = version_steps(project, with_answers(shelves["3.1.0"], project, {}))
    assert steps == ["monitoring/m 2.5.0 -> 3.1.0", "3.0.0: second"]


def patches() -> Iterator[tuple[Kept, str]]:
    """Kept projects and templates in them that are a patch step behind."""
    for one in OLD:
        for key, version in one.versions.items():
            now = OWN.templates[key].facts.version
            if version != now and (version.major, version.minor) == (now.major, now.minor):
                yield one, key


def code(content: bytes) -> str:
    """A module without its docstrings and comments."""
    tree = ast.parse(content)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)]  # type: ignore[attr-defined]  # has one
    return ast.dump(tree)


def _is_text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def test_a_patch_step_changes_no_code_of_what_is_traded() -> None:
    """NodeIDs hash code; the soak test builds them."""
    checked = list(patches())
    assert checked
    decides = ("strategy.py", *(f"layers/{layer}/" for layer in (Layer.DATA, Layer.SIGNAL, Layer.EXECUTION)))
    for one, key in checked:
        _, files = updated(one.number, one.name, False)
        for path in OWN.templates[key].facts.files:
            if path.startswith(decides) and path.endswith(".py"):
                assert code(files[path]) == code(one.files[path]), (one.number, key, path)
    assert code(b'"""A."""\nX = 1\n') == code(b"X = 1  # B\n") != code(b"X = 2\n")


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("one", OLD, ids=lambda one: f"{one.number}-{one.name}")
def test_an_updated_project_validates_and_a_patch_step_keeps_its_nodes(tmp_path: Path, one: Kept) -> None:
    folder = one.laid(tmp_path / "p")
    project = Project.opened(folder)
    planned(project, with_answers(OWN, project, {})).write()
    assert findings(folder, OWN) == []
    ids = node_ids(folder)
    for kept_project, key in patches():
        if kept_project is one:
            for path in OWN.templates[key].facts.files:
                if path in one.files:
                    (folder / path).write_bytes(one.files[path])
            assert node_ids(folder) == ids, key
    signal = folder / "layers" / "signal" / "__init__.py"
    signal.write_text(signal.read_text().replace("long=LONG", "long=LONG / 2"))
    assert node_ids(folder) != ids


def node_ids(folder: Path) -> list[str]:
    """What the project's strategy is made of, built in a process of its own."""
    build = "import json, sys; from strategy import *; from qmtl.sdk.strategy.assembly import assemble; "
    build += "from qmtl.sdk import Strategy; [kind] = [one for one in Strategy.__subclasses__()]; "
    build += "print(*sorted(node.node_id for node in assemble(kind()).dag.nodes))"
    environ = {**environment(), "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    done = subprocess.run([sys.executable, "-c", build], env=environ, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_project_of_a_newer_qmtl_is_not_even_finished(tmp_path: Path) -> None:
    new_project(tmp_path / "p", preset("minimal"))
    file = tmp_path / "p" / PROJECT_FILE
    file.write_text(file.read_text().replace(f'qmtl = "{RUNNING}"', 'qmtl = "99.0"'))
    (tmp_path / "p" / STAGE).mkdir()
    with pytest.raises(QmtlError, match="E_PROJECT_NEWER"):
        Project.opened(tmp_path / "p")
    assert (tmp_path / "p" / STAGE).exists()
