"""The clients of other languages, built and run against a mesh, where their toolchains are."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from qmtl.cli.local.supervisor import Mesh
from tools.clients import LANGUAGES, MOVES, Language, build, check_vectors, moves, two_gateways, walk

SHORT_MOVES = 10
QUICK = [language for language in LANGUAGES if language.name == "typescript"]  # the others compile for minutes


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with two_gateways(tmp_path_factory.mktemp("clients") / "home") as running:
        yield running


def run(language: Language, mesh: Mesh, count: int) -> list[str]:
    """Everything a client does; its lines."""
    if language.absent:
        pytest.skip(f"this machine has no {' and no '.join(language.absent)}")
    lines: list[str] = []
    build(language)
    check_vectors(language, lines.append)
    walk(language, mesh, lines.append)
    if language.has_moves:
        moves(language, mesh, count, lines.append)
    return lines


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", QUICK, ids=lambda language: language.name)
def test_a_client_goes_all_the_way(language: Language, mesh: Mesh) -> None:
    lines = run(language, mesh, SHORT_MOVES)
    said = {line.split()[0] for line in lines}
    assert said >= {"vectors", "strategy", "events", "activation", "order", "fill", "equity", "moves"}
    errors = "\n".join(line for line in lines if line.startswith("error "))
    for word in ("reason E_WORLD_UNKNOWN", "field dag.nodes[1].name", "retry after"):
        assert word in errors


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_every_client_with_a_hundred_moves(language: Language, mesh: Mesh) -> None:
    assert {line.split()[0] for line in run(language, mesh, MOVES)} >= {"vectors", "fill", "equity"}


def test_nothing_generated_is_committed_and_no_registry_is_named() -> None:
    root = Path(__file__).resolve().parents[2]
    listed = subprocess.run(["git", "ls-files", "clients"], cwd=root, capture_output=True, text=True, check=True)
    names = listed.stdout.split()
    assert names
    assert not {"gen", "dist", "target", "node_modules"} & {part for name in names for part in name.split("/")}
    assert not [name for name in names if name.endswith((".lock", "-lock.json"))]
    assert not [name for name in names if "registry" in (root / name).read_text(encoding="utf-8")]
