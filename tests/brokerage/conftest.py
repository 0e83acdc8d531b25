"""A running brokerage with its feed, and a client that may trade on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.brokerage.mesh import Client, Mesh, running_mesh, until
from tests.brokerage.samples import bar


@pytest.fixture
def store_of() -> str:
    return "brokerage"


@pytest.fixture
async def mesh(tmp_path: Path, nats_url: str) -> AsyncIterator[Mesh]:
    async with running_mesh(tmp_path, nats_url) as made:
        await made.start()
        yield made


@pytest.fixture
async def client(mesh: Mesh) -> Client:
    """A client of an open account in an open world whose venue has seen the first bar."""
    made = mesh.client()
    await made.open()
    await mesh.client(role=None, service="worldservice").fence(1)
    mesh.feed.push(bar(0))
    await until(made.venue_minute, lambda minute: minute >= 1)
    return made
