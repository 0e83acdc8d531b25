"""A mesh on a small disk: refused by name when it does not fit, and well again by itself after the disk was full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controlbus.bus import Bus
from controlbus.jetstream.permissions import seed_path
from qmtl.cli.local.layout import Plan, free_plan
from qmtl.cli.local.supervisor import Mesh
from qmtl.config.settings import MeshSettings
from qmtl.core.errors import Exhausted
from tests.support.disks import SmallDisk
from tests.support.waiting import eventually

STREAM_BYTES = 8 * 1024 * 1024
START_S = 90.0


def plan_on(home: Path, mesh: MeshSettings) -> Plan:
    whole = free_plan(home)
    places = tuple(place for place in whole.places if place.service == "controlbus")
    environ = {f"QMTL__MESH__{name.upper()}": str(value) for name, value in mesh.model_dump(exclude_unset=True).items()}
    return Plan(home, whole.nats_url, True, places, environ=environ, mesh=mesh)


async def test_a_disk_too_small_for_the_streams_is_refused_by_name(small_disk: SmallDisk) -> None:
    home = small_disk.folder / "home"
    with pytest.raises(Exhausted, match=r"E_DISK_SMALL: .*/home has \d+ bytes free, want \d+.*mesh\.stream_bytes_max"):
        await Mesh(plan_on(home, MeshSettings())).start()
    assert not (home / "tokens").exists()


async def test_a_full_disk_is_refused_by_name_and_leaves_no_token(small_disk: SmallDisk) -> None:
    small_disk.fill()
    home = small_disk.folder / "home"
    with pytest.raises(Exhausted, match="E_DISK_SMALL"):
        await Mesh(plan_on(home, MeshSettings(stream_bytes_max=STREAM_BYTES))).start()
    assert not any(name.endswith(".jwt") for _, _, names in os.walk(home) for name in names)


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_a_broker_that_met_a_full_disk_takes_writes_again_once_there_is_space(small_disk: SmallDisk) -> None:
    home = small_disk.folder / "home"
    told: list[str] = []
    settings = MeshSettings(stream_bytes_max=STREAM_BYTES, disk_free_min=4 * 1024 * 1024)
    mesh = Mesh(plan_on(home, settings), report=told.append, start_timeout_s=START_S)
    async with mesh:
        bus = await Bus.connect(
            mesh.nats_url,
            service="controlbus",
            credentials=seed_path(home, "controlbus"),
            stream_bytes_max=STREAM_BYTES,
        )
        try:
            await bus.wait_ready(60)
            await eventually(lambda: bus.status().connected, timeout_s=20)
            small_disk.fill()

            async def refused() -> bool:
                return bool(await bus.write_check())

            await eventually(refused, timeout_s=30)
            await eventually(lambda: not bus.status().connected, timeout_s=5)
            assert bus.status().detail
            small_disk.free()
            await eventually(lambda: bus.status().connected, timeout_s=90)
            assert await bus.write_check() == ""
        finally:
            await bus.close()
