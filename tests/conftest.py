"""Fixtures every room may use: a real nats-server, a real PostgreSQL, both SQL dialects."""

from __future__ import annotations

import gc
import re

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling

pytest_plugins = [
    "tests.support.disks",
    "tests.support.nats",
    "tests.support.outbox_store",
    "tests.support.shared.stores",  # before the next, which imports it
    "tests.support.postgres",
]

# A busy machine is no failure: pytest-timeout bounds each test. And a failure must come again: the suite draws the same
# examples each time, `make soak` draws new ones.
settings.register_profile("qmtl", deadline=None, derandomize=True)
settings.register_profile("fresh", deadline=None, print_blob=True)
settings.load_profile("qmtl")

gc.disable()  # until all is collected: modules and items live to the end, and walking them was a quarter of the time

LONGEST_FIRST = ("scaled", "clients", "hostile", "faults", "mesh", "cli")
OF_ONE_MESH = re.compile(r"tests/(mesh/[^/]+|cli/.+)\.py$")  # start it once: their files go to one worker


class MeshTogether(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Files as xdist hands them out, but those of a room that has one mesh go to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return file.split("/")[1] if OF_ONE_MESH.fullmatch(file) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> MeshTogether | None:
    return MeshTogether(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Rooms of whole meshes come first: their few long files would else leave one worker alone at the end."""
    places = {config.rootpath / "tests" / room: place for place, room in enumerate(LONGEST_FIRST)}

    def place(item: pytest.Item) -> int:
        return next((places[folder] for folder in item.path.parents if folder in places), len(places))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Items and modules are out of the collector's sight from now on, as they are in a service that has started."""
    gc.collect()
    gc.freeze()
    gc.enable()
