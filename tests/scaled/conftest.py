"""The scaled-out mesh of this room's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scaled.scaled_mesh import ScaledMesh


@pytest.fixture
def scaled(tmp_path: Path, postgres_server: str) -> Iterator[ScaledMesh]:
    """Made and started by the documented commands; stopped, and its databases dropped, at the end."""
    mesh = ScaledMesh(tmp_path / "mesh", postgres_server)
    try:
        mesh.init()
        mesh.start_all()
        yield mesh
    finally:
        mesh.stop()
        mesh.drop_databases()
