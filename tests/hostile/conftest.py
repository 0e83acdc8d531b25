"""A whole mesh of real processes in which one world trades on paper, for attackers to do their worst to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from qmtl.cli.local.supervisor import Mesh
from tests.mesh.gateway_client import open_gateway_client
from tests.mesh.trading_mesh import TradingMesh
from tests.support.shared.meshes import laid_plan


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A running mesh of its own on free ports."""
    home: Path = tmp_path_factory.mktemp("hostile") / "home"
    with Mesh(laid_plan(home)) as running:
        yield running


@pytest.fixture
async def trading(mesh: Mesh) -> AsyncIterator[TradingMesh]:
    """A strategy that trades on paper."""
    async with open_gateway_client(mesh.address("gateway"), mesh.home) as client:
        trading = TradingMesh(mesh, {"gateway": client})
        await trading.prepare()
        yield trading
