"""Changing a project: no author's line is lost, orders of steps do not matter, and a cut step is whole or nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

from qmtl.core.errors import QmtlError
from qmtl.project.archive import packed, unpacked
from qmtl.project.layers import Layer, missing
from qmtl.project.merging import Outcome, merged
from qmtl.project.operations import (
    Project,
    new_project,
    planned,
    whole,
    with_answers,
    with_layer,
    without_layer,
)
from qmtl.project.project_file import RUNNING
from qmtl.project.selection import select
from qmtl.project.writing import BACKUP, STAGE, finish, replace_files
from tests.project.shelves import OWN, preset

CUTTER = """
import os, sys
from pathlib import Path
from qmtl.project.writing import replace_files
left = int(sys.argv[2])
def cut(event, args):
    global left
    writes = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")
    if writes or (event == "open" and isinstance(args[1], str) and "w" in args[1]):
        left -= 1
        if left < 0:
            os._exit(7)
folder = Path(sys.argv[1])
sys.addaudithook(cut)
replace_files(folder, {"a": b"new a", "b/c": b"new c", "d": None, "b/old": None}, backup=True)
"""
OLD = {"a": b"old a", "d": b"old d", "b/old": b"x"}
NEW = {"a": b"new a", "b/c": b"new c"}


def contents(folder: Path) -> dict[str, bytes]:
    """Files of a folder but for stage and backups."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in (STAGE, BACKUP)
    }


def lay(folder: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def cut_at(folder: Path, cut: int) -> None:
    """A process that ends at its write number `cut`, and the next command."""
    lay(folder, OLD)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", CUTTER, str(folder), str(cut)], env=environment, check=False)
    assert done.returncode in (0, 7)
    finish(folder)
    assert contents(folder) in (OLD, NEW)
    assert not (folder / STAGE).exists()
    replace_files(folder, {"a": b"new a", "b/c": b"new c", "d": None, "b/old": None}, backup=False)
    assert contents(folder) == NEW


@pytest.mark.parametrize("cut", [2, 9, 14, 16, 18])
def test_a_step_that_is_cut_at_a_write_leaves_the_old_project_or_the_new_one(tmp_path: Path, cut: int) -> None:
    cut_at(tmp_path / "p", cut)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_step_may_be_cut_at_any_write(tmp_path: Path) -> None:
    for cut in range(40):
        cut_at(tmp_path / str(cut), cut)


@pytest.mark.parametrize("step", [("../out", "0"), ("../out", ""), ("in", "../../out"), ("link/out", "0")])
def test_a_journal_that_came_with_a_project_writes_and_removes_nothing_outside(
    tmp_path: Path, step: tuple[str, str]
) -> None:
    folder, outside = tmp_path / "p", tmp_path / "out"
    lay(folder, {f"{STAGE}/0": b"theirs", "a": b"mine"})
    outside.write_bytes(b"of somebody else")
    (folder / "link").symlink_to(tmp_path)
    journal = [{"path": step[0], "staged": step[1], "digest": ""}]
    (folder / STAGE / "journal.json").write_text(json.dumps(journal))
    with pytest.raises(QmtlError, match="E_PROJECT_DAMAGED"):
        finish(folder)
    assert outside.read_bytes() == b"of somebody else"
    shutil.rmtree(folder / STAGE)
    with pytest.raises(QmtlError, match="E_PROJECT_DAMAGED"):
        replace_files(folder, {"a": b"x", "link/out": b"theirs"}, backup=False)
    assert (outside.read_bytes(), (folder / "a").read_bytes()) == (b"of somebody else", b"mine")


def test_five_backups_are_kept(tmp_path: Path) -> None:
    lay(tmp_path, {"a": b"0"})
    for number in range(1, 8):
        replace_files(tmp_path, {"a": str(number).encode()}, backup=True)
    kept = sorted(int(folder.name) for folder in (tmp_path / BACKUP).iterdir())
    assert kept == [3, 4, 5, 6, 7]
    assert (tmp_path / BACKUP / "7" / "a").read_bytes() == b"6"


def test_layers_in_any_order_make_the_project_that_all_at_once_make(tmp_path: Path) -> None:
    wanted = whole(select(OWN, RUNNING, layers=list(Layer)))
    for number, order in enumerate(permutations([Layer.EXECUTION, Layer.MONITORING, Layer.BROKERAGE])):
        if order.index(Layer.BROKERAGE) < order.index(Layer.EXECUTION):
            continue
        folder = tmp_path / str(number)
        new_project(folder, select(OWN, RUNNING, layers=["data", "signal"]))
        for layer in order:
            project = Project.opened(folder)
            planned(project, with_layer(OWN, project, layer, "", with_requires=False)).write()
        shutil.rmtree(folder / BACKUP)
        assert contents(folder) == wanted


def test_a_layer_that_comes_and_goes_leaves_the_bytes_of_before(tmp_path: Path) -> None:
    new_project(tmp_path / "p", preset("minimal"))
    before = contents(tmp_path / "p")
    project = Project.opened(tmp_path / "p")
    planned(project, with_layer(OWN, project, Layer.EXECUTION, "canary_guard", with_requires=False)).write()
    project = Project.opened(tmp_path / "p")
    assert project.layers == (Layer.DATA, Layer.SIGNAL, Layer.EXECUTION)
    planned(project, without_layer(OWN, project, Layer.EXECUTION)).write()
    assert contents(tmp_path / "p") == before


def test_a_layer_that_goes_leaves_the_files_that_the_author_changed(tmp_path: Path) -> None:
    new_project(tmp_path / "p", select(OWN, RUNNING, layers=["data", "signal", "monitoring"]))
    mine = tmp_path / "p" / "layers" / "monitoring" / "__init__.py"
    mine.write_text(mine.read_text() + "# mine\n")
    project = Project.opened(tmp_path / "p")
    plan = planned(project, without_layer(OWN, project, Layer.MONITORING))
    outcomes = {change.path: change.outcome for change in plan.changes}
    assert outcomes["layers/monitoring/__init__.py"] is Outcome.KEPT
    assert outcomes["notebooks/results.ipynb"] is Outcome.REMOVED
    plan.write()
    assert "# mine" in mine.read_text()
    assert not (tmp_path / "p" / "notebooks").exists()


def test_what_the_author_changed_survives_an_answer_and_is_marked_where_both_changed(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    new_project(folder, preset("minimal"))
    signal = folder / "layers" / "signal" / "__init__.py"
    signal.write_text(signal.read_text() + "\n# mine\n")
    project = Project.opened(folder)
    assert project.changed == {"layers/signal/__init__.py": "changed"}
    plan = planned(project, with_answers(OWN, project, {"fast": 12}))
    assert not plan.conflicts
    plan.write()
    assert "FAST, SLOW = 12, 96" in signal.read_text()
    assert "# mine" in signal.read_text()

    signal.write_text(signal.read_text().replace("FAST, SLOW = 12, 96", "FAST, SLOW = 13, 97"))
    project = Project.opened(folder)
    plan = planned(project, with_answers(OWN, project, {"fast": 14}))
    assert plan.conflicts == ("layers/signal/__init__.py",)
    kept = planned(project, plan.selection, take_ours=plan.conflicts)
    assert not kept.conflicts
    taken = planned(project, plan.selection, take_theirs=plan.conflicts)
    assert [change.outcome for change in taken.changes] == [Outcome.REPLACED]
    plan.write()
    assert all(text in signal.read_text() for text in ("13, 97", "14, 96", "<<<<<<<", "# mine"))


def test_a_file_of_the_author_where_a_template_wants_one_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    new_project(folder, preset("minimal"))
    (folder / "layers" / "execution").mkdir()
    (folder / "layers" / "execution" / "__init__.py").write_text("# mine\n")
    project = Project.opened(folder)
    selection = with_layer(OWN, project, Layer.EXECUTION, "", with_requires=False)
    with pytest.raises(QmtlError, match="E_FILE_TAKEN") as refusal:
        planned(project, selection)
    assert "def orders" in "".join(refusal.value.__notes__)
    planned(project, selection, take_ours=["layers/execution/__init__.py"]).write()
    assert (folder / "layers" / "execution" / "__init__.py").read_text() == "# mine\n"


def test_in_git_what_is_not_committed_is_not_changed_and_no_backup_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    new_project(folder, preset("minimal"))
    git = ["git", "-c", "user.name=author", "-c", "user.email=author@example.org"]
    subprocess.run([*git, "init", "-q"], cwd=folder, check=True)
    project = Project.opened(folder)
    plan = planned(project, with_answers(OWN, project, {"fast": 12}))
    with pytest.raises(QmtlError, match="E_PROJECT_DIRTY"):
        plan.write()
    subprocess.run([*git, "add", "-A"], cwd=folder, check=True)
    with pytest.raises(QmtlError, match="E_PROJECT_DIRTY"):  # what is added only has no way back
        plan.write()
    subprocess.run([*git, "commit", "-qm", "first"], cwd=folder, check=True)
    assert plan.write() is None
    assert not (folder / BACKUP).exists()


def test_without_git_two_changes_are_not_merged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert merged({"a": b"1"}, {"a": b"2"}, {"a": b"1"})[0].outcome is Outcome.REPLACED
    with pytest.raises(QmtlError, match="E_GIT_MISSING"):
        merged({"a": b"1"}, {"a": b"2"}, {"a": b"3"})


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(QmtlError, match="E_PROJECT_UNKNOWN"):
        Project.opened(tmp_path)
    new_project(tmp_path / "p", preset("minimal"))
    file = tmp_path / "p" / "qmtl-project.toml"
    text = file.read_text()
    for changed, reason in (
        (text.replace(f'qmtl = "{RUNNING}"', 'qmtl = "99.0"'), "E_PROJECT_NEWER"),
        (text[:40], "E_PROJECT_DAMAGED"),
        (text.replace('"strategy.py" = "', '"strategy.py" = "0'), "E_PROJECT_DAMAGED"),
    ):
        file.write_text(changed)
        with pytest.raises(QmtlError) as refusal:
            Project.opened(tmp_path / "p")
        assert refusal.value.reason == reason
    with pytest.raises(QmtlError, match="E_PROJECT_DAMAGED"):
        unpacked(b"no archive")
    with pytest.raises(QmtlError, match="E_PROJECT_NOT_EMPTY"):
        new_project(tmp_path / "p", preset("minimal"))


def test_an_archive_says_its_files_again_and_depends_on_nothing_else() -> None:
    files = {"b": b"x" * 200_000, "a": b"", "c/d": bytes(range(256))}
    assert unpacked(packed(files)) == files
    assert packed(files) == packed(dict(reversed(files.items())))


def test_layers_need_what_is_below_them(tmp_path: Path) -> None:
    assert missing([Layer.BROKERAGE]) == (Layer.DATA, Layer.SIGNAL, Layer.EXECUTION)
    assert missing([Layer.MONITORING]) == ()
    with pytest.raises(QmtlError, match="E_LAYER_REQUIRES"):
        select(OWN, RUNNING, layers=["execution"])
    assert list(select(OWN, RUNNING, layers=["execution"], with_requires=True).templates) == [
        "data",
        "signal",
        "execution",
    ]
    new_project(tmp_path / "p", preset("minimal"))
    project = Project.opened(tmp_path / "p")
    for layer, reason in ((Layer.DATA, "E_LAYER_NEEDED"), (Layer.BROKERAGE, "E_LAYER_UNKNOWN")):
        with pytest.raises(QmtlError) as refusal:
            without_layer(OWN, project, layer)
        assert refusal.value.reason == reason
    with pytest.raises(QmtlError, match="E_LAYER_PRESENT"):
        with_layer(OWN, project, Layer.DATA, "", with_requires=False)
    with pytest.raises(QmtlError, match=r"E_PRESET_UNKNOWN.*minimal"):
        select(OWN, RUNNING, preset="minimall")
    with pytest.raises(QmtlError, match=r"E_TEMPLATE_UNKNOWN.*stream_input"):
        select(OWN, RUNNING, layers=["data"], named={"data": "stream"})
