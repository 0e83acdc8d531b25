from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qmtl.rpc.auth import ensure_dev_keys
from tests.rpc.mesh import Mesh, running_mesh


@pytest.fixture
def home(tmp_path: Path) -> Path:
    ensure_dev_keys(tmp_path)
    return tmp_path


@pytest.fixture
async def mesh(home: Path) -> AsyncIterator[Mesh]:
    async with running_mesh(home) as mesh:
        yield mesh
