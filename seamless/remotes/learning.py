"""Makes datasets of other services available: what they say of them is asked for, and kept for when they are away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random

import structlog

from qmtl.core.clock import Clock
from qmtl.core.errors import NotReady, QmtlError
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sql.database import Database
from seamless.artifacts.inventory import Inventory
from seamless.domain.windows import wait_s
from seamless.presets.preset import Preset
from seamless.remotes import store
from seamless.remotes.source import RemoteSource
from seamless.remotes.wire import taken_over

LOOK_S = 60.0
log = structlog.stdlib.get_logger("qmtl.seamless.remotes")

Note = Callable[[str, str], None]
"""Something is away, or, with an empty detail, is not."""


class Learning:
    """The presets whose datasets are other services', by their names."""

    def __init__(self, inventory: Inventory, db: Database, sources: Mapping[str, RemoteSource], note: Note) -> None:
        self._inventory = inventory
        self._db = db
        self._sources = sources
        self._note = note

    async def load(self) -> None:
        """Make available what an earlier run learned. Raises Unavailable as the store does."""
        known = await self._db.read(store.load_remote_presets)
        for name, source in self._sources.items():
            message = datasetspb.Preset.FromString(known.get(name, b""))
            if message.dataset == str(source.dataset):
                await self._make_available(name, source, message)

    async def run(self, clock: Clock, random: Random) -> None:
        """Ask each for ever; who does not answer is asked again sooner, and told as away."""
        failures = 0
        while True:
            failures = 0 if await self.learn() else failures + 1
            await clock.sleep(wait_s(failures, random) if failures else LOOK_S)

    async def learn(self) -> bool:
        """Ask each once; whether all of them answered."""
        troubles: dict[str, str] = {}
        for name, source in self._sources.items():
            troubles.setdefault(f"remote {source.peer.name}", "")
            try:
                await self._learn(name, source)
            except QmtlError as error:
                troubles[f"remote {source.peer.name}"] = error.message
                if source.known is None:
                    self._inventory.place(replace(self._inventory.presets.named(name), detail=str(error)))
        for subject, trouble in troubles.items():
            self._note(subject, trouble)
        return not any(troubles.values())

    async def _learn(self, name: str, source: RemoteSource) -> None:
        message = await source.described()
        if source.known != message:
            await self._make_available(name, source, message)
            body = message.SerializeToString(deterministic=True)
            await self._db.write(lambda conn: store.save_remote_preset(conn, name, body))

    async def _make_available(self, name: str, source: RemoteSource, message: datasetspb.Preset) -> None:
        self._require_own(name, source)
        preset = taken_over(self._inventory.presets.named(name), source.peer.name, message)
        self._inventory.place(preset)
        source.known = message
        log.info("remote_dataset", preset=name, remote=source.peer.name, dataset=preset.dataset)

    def _require_own(self, name: str, source: RemoteSource) -> None:
        """Raises NotReady (E_DATASET_UNAVAILABLE) where another preset here has the dataset."""
        other = next((one for one in self._inventory.presets.all if _collides(one, name, source)), None)
        if other is not None:
            text = f"{source.dataset} is the dataset of preset {other.name} here"
            raise NotReady("E_DATASET_UNAVAILABLE", text, metadata={"dataset": name})


def _collides(preset: Preset, name: str, source: RemoteSource) -> bool:
    return preset.available and preset.name != name and preset.dataset == source.dataset
