"""A whole mesh of real processes in which one world trades on paper, for attackers to do their worst to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from qmtl.cli.local.layout import free_plan
from qmtl.cli.local.supervisor import Mesh
from tests.mesh.door import open_door
from tests.mesh.estate import Estate


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A running mesh of its own on free ports."""
    home: Path = tmp_path_factory.mktemp("hostile") / "home"
    with Mesh(free_plan(home)) as running:
        yield running


@pytest.fixture
async def estate(mesh: Mesh) -> AsyncIterator[Estate]:
    """A strategy that trades on paper."""
    async with open_door(mesh.address("gateway"), mesh.home) as door:
        estate = Estate(mesh, {"gateway": door})
        await estate.prepare()
        yield estate
