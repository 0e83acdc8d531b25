"""Starts a broker anew that refuses writes while its disk has space: JetStream does not recover from a full disk alone.

After a disk that took nothing some streams may take writes while others refuse them for ever, so one that takes the
write of the check proves nothing: then it is started anew as soon as there is space. A broker that is away is its own
process's matter, a disk that is full the operator's; both are waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from controlbus.bus import Bus
from controlbus.jetstream.permissions import seed_path
from qmtl.config.settings import MeshSettings
from qmtl.rpc.disk import checked

OPERATOR = "controlbus"
LOOK_S = 1.0
REFUSALS_MAX = 10  # in a row, with space on the disk: a busy machine is no reason to start it anew
SETTLE_S = 15.0  # for a broker that was just started


async def watch_broker(mesh: MeshSettings, url: str, restart: Callable[[], int], report: Callable[[str], None]) -> None:
    """Look once a second until cancelled."""
    bus = await Bus.connect(
        url,
        service=OPERATOR,
        credentials=seed_path(mesh.home, OPERATOR),
        replicas=mesh.stream_replicas,
        stream_bytes_max=mesh.stream_bytes_max,
    )
    folder, refusals, ran_out = mesh.home / "nats", 0, False
    try:
        while True:
            await asyncio.sleep(LOOK_S)
            told = bus.status()
            refuses = bus.link.up and not told.connected
            ran_out = ran_out or bool(await checked(folder, 0))
            full = await checked(folder, mesh.disk_free_min) if refuses or ran_out else ""
            refusals = refusals + 1 if refuses and not full else 0
            if refusals < REFUSALS_MAX and not (ran_out and not full):
                continue
            why = "met a full disk" if ran_out else f"takes no writes ({told.detail}) while its disk has space"
            report(f"nats-server {why}: started anew")
            restart()
            refusals, ran_out = 0, False
            await asyncio.sleep(SETTLE_S)
    finally:
        await bus.close()
