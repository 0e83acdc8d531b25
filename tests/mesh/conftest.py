"""A whole mesh of real processes: one for all tests of the room that leave it as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from qmtl.cli.local.supervisor import Mesh
from tests.mesh.gateway_client import GatewayClient, open_gateway_client
from tests.support.shared.meshes import laid_plan


@pytest.fixture(scope="package")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A running mesh on free ports."""
    home: Path = tmp_path_factory.mktemp("mesh") / "home"
    with Mesh(laid_plan(home)) as running:
        yield running


@pytest.fixture
async def client(mesh: Mesh) -> AsyncIterator[GatewayClient]:
    """The gateway as the local operator sees it."""
    async with open_gateway_client(mesh.address("gateway"), mesh.home) as opened:
        yield opened
