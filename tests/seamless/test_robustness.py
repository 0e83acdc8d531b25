"""What goes wrong below the data: a clear error, and nothing is lost or half published."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from qmtl.core.errors import DataLoss, Exhausted, InvalidRequest, QmtlError
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.sql.database import Database
from tests.seamless.asking import DEMO, refusal_of
from tests.seamless.serving import fetch_all, running
from tests.seamless.uploads.test_service import HOURS, add
from tests.seamless.uploads.test_uploads import addition, started
from tests.support.disks import SmallDisk, small_disk

__all__ = ["small_disk"]

HOSTILE = [
    "../../../etc/passwd",
    "a/b\\c",
    "%2e%2e%2f",
    "BTC/USDT:USDT",
    "x" * 128,
    "né'; DROP TABLE uploads;--",
    "日本",
    "a b",
]
REFUSED = ["", "x" * 129, "a\nb", "\x00", "‮USD"]


async def test_a_hostile_symbol_is_a_symbol_or_refused_and_never_a_path(tmp_path: Path) -> None:
    home = tmp_path / "in" / "home"
    async with running(home, ingest=False) as seamless:
        stub = await seamless.stubs()
        for number, symbol in enumerate(HOSTILE):
            reply = await add(stub, HOURS, f"h{number}", symbol=symbol)
            assert (reply.refusal, reply.preset.symbol) == ("", symbol)
            rows, metadata = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=reply.preset.dataset))
            assert rows is not None
            assert (len(rows), metadata.dataset) == (46, reply.preset.dataset)
            assert reply.preset.dataset.count(":") == 3, "each part of an id is encoded"
        for symbol in REFUSED:
            with pytest.raises(InvalidRequest):
                await add(stub, HOURS, "refused", symbol=symbol)
        listed = await stub.catalogue.ListPresets(catalogueservicepb.ListPresetsRequest())
        assert sum(one.name.startswith("file.") for one in listed.presets) == len(HOSTILE)
    assert os.listdir(tmp_path) == ["in"]
    assert os.listdir(tmp_path / "in") == ["home"]


@pytest.mark.parametrize("harm", ["cut", "empty", "unreadable", "flipped"])
async def test_a_harmed_file_is_told_by_its_path_on_every_read(tmp_path: Path, harm: str) -> None:
    async with running(tmp_path) as seamless:
        stub = await seamless.stubs()
        path = sorted((tmp_path / "data").rglob("*.parquet"))[-1]
        content = path.read_bytes()
        if harm == "unreadable":
            path.unlink()
            path.mkdir()
        else:
            flipped = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
            path.write_bytes({"cut": content[:-100], "empty": b"", "flipped": flipped}[harm])
        for _ in range(2):
            error = await refusal_of(stub, dataservicepb.FetchRequest(dataset=DEMO))
            assert isinstance(error, DataLoss)
            assert (error.reason, path.name in error.message) == ("E_STORED_FILE", True)
        told = await stub.artifacts.VerifyDataset(artifactservicepb.VerifyDatasetRequest(dataset=DEMO))
        assert [path.name in damage for damage in told.damages] == [True]
        if harm == "unreadable":
            path.rmdir()
        path.write_bytes(content)
        assert (await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO)))[1].rows == 8684


async def test_a_full_disk_refuses_a_file_and_keeps_what_was_there(
    db: Database,
    tmp_path: Path,
    small_disk: SmallDisk,
) -> None:
    uploads, inventory = await started(db, small_disk.folder)
    await uploads.add(addition(HOURS), "alice")
    before = await inventory.newest(inventory.presets.serving("file.ohlcv.mine"))
    small_disk.fill()
    changed = addition(HOURS.replace("100.5,7", "100.75,7"))
    with pytest.raises(Exhausted, match="E_DISK_SMALL"):
        await uploads.add(changed, "alice")
    assert await inventory.newest(inventory.presets.serving("file.ohlcv.mine")) == before
    small_disk.free()
    assert (await uploads.add(changed, "alice")).outcome.manifest is not None
    leftovers = [path for path in small_disk.folder.rglob(".*") if path.is_file()]
    assert leftovers == []


@pytest.mark.soak
async def test_a_locked_catalogue_is_told_and_nothing_is_half_published(tmp_path: Path) -> None:
    """SQLite is waited for as long as any lock: 20 s."""
    db = Database(f"sqlite:///{tmp_path / 'store.db'}")
    await db.migrate("seamless:migrations")
    uploads, inventory = await started(db, tmp_path)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(QmtlError) as caught:
        await uploads.add(addition(HOURS), "alice")
    assert caught.value.reason in ("E_DATABASE_UNAVAILABLE", "E_DATABASE_BUSY")
    assert inventory.presets.all == ()
    other.execute("ROLLBACK")
    assert (await uploads.add(addition(HOURS), "alice")).outcome.manifest is not None
    await db.close()
