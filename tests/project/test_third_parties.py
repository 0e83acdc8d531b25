"""Templates of other packages keep the rules of our own; a broken one is no trouble of another."""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from qmtl.core.errors import QmtlError
from qmtl.project.layers import Layer
from qmtl.project.operations import Project, new_project, planned, with_answers, with_layer, without_layer
from qmtl.project.project_file import PROJECT_FILE, RUNNING, read_project_file
from qmtl.project.selection import select
from qmtl.project.shelf import SOURCE_BYTES_MAX, Shelf, Source, installed_shelf
from qmtl.project.validation.sources import source_findings
from tests.project.packages import ACME, install
from tests.project.shelves import OWN, preset, template_toml, written


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the path that packages are installed into."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def test_what_is_broken_is_named_and_stops_nobody_else(packages: Path) -> None:
    install(packages, "acme-templates", ACME)
    install(packages, "rotten", {"data/mine/template.toml": "name = 1", "presets/acme.toml": "name = 'acme"})
    install(packages, "hollow", {"readme.txt": "its data was left out of the wheel"})
    install(packages, "nowhere", {}, point="nobody.has.this")
    install(packages, "shadow", {"data/stream_input/template.toml": template_toml("data", "stream_input", {})})
    for name in ("one", "two"):
        install(packages, name, {"data/both/template.toml": template_toml("data", "both", {})})
    (packages / "binary" / "data" / "mine").mkdir(parents=True)
    install(packages, "binary", {})
    (packages / "binary" / "data" / "mine" / "template.toml").write_bytes(b"\xff\xfe")
    shelf = installed_shelf()
    found = {(fault.package, fault.name): fault.error.reason for fault in shelf.faults}
    assert found == {
        ("rotten 1.2.0", "data/mine"): "E_TEMPLATE_METADATA",
        ("rotten 1.2.0", "preset acme"): "E_TEMPLATE_METADATA",
        ("hollow 1.2.0", "entry point hollow"): "E_TEMPLATE_METADATA",
        ("nowhere 1.2.0", "entry point nowhere"): "E_TEMPLATE_METADATA",
        ("shadow 1.2.0", "data/stream_input"): "E_TEMPLATE_TAKEN",
        ("two 1.2.0", "data/both"): "E_TEMPLATE_TAKEN",
        ("binary 1.2.0", "data/mine"): "E_TEMPLATE_METADATA",
    }
    assert set(shelf.templates) == {*OWN.templates, "signal/breakout"}
    assert set(shelf.presets) == {*OWN.presets, "acme"}
    assert shelf.template("data", "stream_input").source.package == "qmtl"
    for place, name, reason in (("data", "both", "E_TEMPLATE_TAKEN"), ("data", "mine", "E_TEMPLATE_METADATA")):
        with pytest.raises(QmtlError) as refusal:
            shelf.template(place, name)
        assert refusal.value.reason == reason


def test_a_loaded_module_of_a_packages_name_does_not_hide_it(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strategy's file that was loaded as a module may have the name of a package."""
    install(packages, "breakouts", ACME)
    strategy = ModuleType("breakouts")
    strategy.__spec__ = ModuleSpec("breakouts", None)
    monkeypatch.setitem(sys.modules, "breakouts", strategy)
    shelf = installed_shelf()
    assert not shelf.faults
    assert shelf.template("signal", "breakout").source.package == "breakouts"


def test_a_project_is_brought_up_to_date_by_the_package_it_was_made_with_only(tmp_path: Path) -> None:
    files = {path: text for path, text in ACME.items() if not path.startswith("presets")}
    own = OWN.template("data", "stream_input").source
    acme = Shelf([own, Source("acme", "1.0", _laid(tmp_path / "acme", files))])
    evil = Shelf([own, Source("evil", "9.0", _laid(tmp_path / "evil", files))])
    new_project(tmp_path / "p", select(acme, RUNNING, layers=["data", "signal"], named={"signal": "breakout"}))
    project = Project.opened(tmp_path / "p")
    with pytest.raises(QmtlError, match=r"E_TEMPLATE_TAKEN.*pip install acme"):
        with_answers(evil, project, {})
    with pytest.raises(QmtlError, match=r"E_TEMPLATE_UNKNOWN.*pip install acme"):
        with_answers(OWN, project, {})
    newer = Shelf([own, Source("acme", "2.0", tmp_path / "acme")])
    assert planned(project, with_answers(newer, project, {})).waits


def _laid(folder: Path, files: dict[str, str]) -> Path:
    written(folder, files)
    return folder


def test_a_template_needs_the_layers_that_it_says(tmp_path: Path) -> None:
    needing = template_toml("monitoring", "costs", {"layers/monitoring/__init__.py": "f"}, 'requires = ["execution"]')
    folder = _laid(tmp_path / "t", {"monitoring/costs/template.toml": needing, "monitoring/costs/f": "# costs\n"})
    shelf = Shelf([OWN.template("data", "stream_input").source, Source("acme", "1.0", folder)])
    with pytest.raises(QmtlError) as refusal:
        select(shelf, RUNNING, layers=["monitoring"], named={"monitoring": "costs"})
    assert refusal.value.message == "monitoring/costs cannot be without data, signal, execution"
    assert refusal.value.metadata == {"layers": "data,signal,execution"}
    new_project(
        tmp_path / "p",
        select(shelf, RUNNING, layers=["monitoring"], named={"monitoring": "costs"}, with_requires=True),
    )
    project = Project.opened(tmp_path / "p")
    assert project.layers == (Layer.DATA, Layer.SIGNAL, Layer.EXECUTION, Layer.MONITORING)
    with pytest.raises(QmtlError, match="execution stays: monitoring/costs cannot be without it"):
        without_layer(shelf, project, Layer.EXECUTION)
    new_project(tmp_path / "q", preset("minimal"))
    with pytest.raises(QmtlError, match="E_LAYER_REQUIRES: monitoring/costs cannot be without execution"):
        with_layer(shelf, Project.opened(tmp_path / "q"), Layer.MONITORING, "costs", with_requires=False)
    with pytest.raises(QmtlError, match="signal stays: addition/first_look cannot be without it"):
        without_layer(OWN, Project.opened(tmp_path / "q"), Layer.SIGNAL)
    project_file = tmp_path / "p" / PROJECT_FILE
    lines = project_file.read_text().split("[templates.execution]")
    project_file.write_text(lines[0] + "[templates.frame]" + lines[1].partition("[templates.frame]")[2])
    read = read_project_file(tmp_path / "p", RUNNING)
    found = [one.found for one in source_findings(tmp_path / "p", read, shelf, RUNNING)]
    assert "no layer execution" in found


def test_extras_of_templates_are_what_the_project_depends_on_and_has_to_have(packages: Path, tmp_path: Path) -> None:
    extras = template_toml(
        "monitoring", "search", {"layers/monitoring/__init__.py": "f"}, 'extras = ["search", "ccxt"]'
    )
    folder = _laid(tmp_path / "t", {"monitoring/search/template.toml": extras, "monitoring/search/f": "# search\n"})
    shelf = Shelf([OWN.template("data", "stream_input").source, Source("acme", "1.0", folder)])
    selection = select(shelf, RUNNING, layers=["monitoring"], named={"monitoring": "search"})
    files = new_project(tmp_path / "p", selection)
    assert f'dependencies = ["qmtl[ccxt,search]>={RUNNING},<1"]' in files["pyproject.toml"].decode()
    install(packages, "optuna", {}, version="0.1")
    read = read_project_file(tmp_path / "p", RUNNING)
    found = [one for one in source_findings(tmp_path / "p", read, shelf, RUNNING) if one.rule == "extras"]
    assert ("optuna >=5.0 is not installed", "pip install 'qmtl[search]'") in [(one.found, one.hint) for one in found]


def test_a_source_that_is_a_link_out_of_the_template_or_has_no_end_is_refused(tmp_path: Path) -> None:
    names = {"a": "passwd", "b": "zero", "c": "large", "d": "folder/secret", "e": "pipe"}
    shelf = written(
        tmp_path, {f"data/{one}/template.toml": template_toml("data", one, {"a": names[one]}) for one in names}
    )
    (tmp_path / "data" / "a" / "passwd").symlink_to("/etc/passwd")
    (tmp_path / "data" / "b" / "zero").symlink_to("/dev/zero")
    (tmp_path / "data" / "c" / "large").write_bytes(b"x" * (SOURCE_BYTES_MAX + 1))
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "data" / "d" / "folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "data" / "e" / "pipe")
    for one, reason in zip("abcde", ("PATH", "METADATA", "SIZE", "PATH", "METADATA"), strict=True):
        with pytest.raises(QmtlError) as refusal:
            shelf.template("data", one).text(names[one])
        assert refusal.value.reason == f"E_TEMPLATE_{reason}"
