"""Generated projects by their own tools: every preset, and a set of projects that has each pair of templates."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path

import pytest

from qmtl.project.layers import Layer
from qmtl.project.operations import new_project
from qmtl.project.project_file import RUNNING
from qmtl.project.selection import Selection, select
from tests.cli.conftest import ROOT, environment
from tests.project.shelves import OWN, preset

CHECKS = (
    ["pytest", "-q", "-p", "no:cacheprovider"],
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy", "--cache-dir", "../mypy"],
    ["qmtl.cli", "project", "layer", "validate"],
)
RUFF = Path(sys.executable).with_name("ruff")
Choice = dict[Layer, str]


def pairwise() -> list[Choice]:
    """Choices of a template for each layer in which every two templates of different layers are together somewhere."""
    names = {
        layer: sorted(one.facts.name for one in OWN.templates.values() if one.facts.place == layer) for layer in Layer
    }
    left = {
        frozenset([(one, a), (two, b)])
        for one, two in combinations(Layer, 2)
        for a, b in product(names[one], names[two])
    }
    chosen = []
    while left:
        best = max(product(*names.values()), key=lambda one: len(left & set(_pairs(one))))
        left -= set(_pairs(best))
        chosen.append(dict(zip(Layer, best, strict=True)))
    return chosen


def _pairs(templates: tuple[str, ...]) -> Iterator[frozenset[tuple[Layer, str]]]:
    return map(frozenset, combinations(zip(Layer, templates, strict=True), 2))


def keeps_every_rule(folder: Path, selection: Selection) -> None:
    """Made, its own tests and tools pass, and its backtest runs; warnings are errors in its tests."""
    new_project(folder, selection)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "gen")])
    checks = [*CHECKS]
    if (folder / "layers" / "data" / "synthetic.py").exists():
        checks.append(["layers.data.synthetic"])
    sample = (folder / "layers" / "data" / "coverage.sh").exists()
    data = ["demo.btc.15m"] if sample else ["data/SYNTHETIC.csv", "--quote", "USD"]
    checks.append(["qmtl.cli", "backtest", "strategy.py", "--data", *data])
    for words in checks:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=folder,
            env={**environment(), "MYPYPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        assert "warning" not in done.stdout.replace("0 warnings", ""), done.stdout


def test_presets_are_clean_as_they_are_written(tmp_path: Path) -> None:
    for name in ("minimal", "research", "production"):
        new_project(tmp_path / name, preset(name))
    for words in (["check", "."], ["format", "--check", "."]):
        done = subprocess.run([RUFF, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name", ["minimal", *(pytest.param(name, marks=pytest.mark.soak) for name in ("research", "production"))]
)
def test_a_preset_keeps_every_rule_and_passes_its_own_tests(tmp_path: Path, name: str) -> None:
    keeps_every_rule(tmp_path / "p", preset(name))


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "data"), [("research", "stream_input"), ("minimal", "synthetic"), ("research", "seamless")]
)
def test_a_preset_keeps_every_rule_with_another_data_layer(tmp_path: Path, name: str, data: str) -> None:
    keeps_every_rule(tmp_path / "p", select(OWN, RUNNING, preset=name, named={"data": data}))


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("chosen", pairwise(), ids=lambda chosen: "-".join(chosen.values()))
def test_templates_keep_every_rule_beside_each_other(tmp_path: Path, chosen: Choice) -> None:
    named = {layer.value: name for layer, name in chosen.items()}
    keeps_every_rule(tmp_path / "p", select(OWN, RUNNING, layers=list(Layer), named=named))
