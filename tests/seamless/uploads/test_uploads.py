"""Files that are taken while the store breaks off: what is recorded has its content, what is not is asked again."""

from __future__ import annotations

import asyncio
import zlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from qmtl.core.errors import Conflict, Exhausted, InvalidRequest, NotFound
from qmtl.core.paging import Page
from qmtl.data.v1 import files_pb2 as filespb
from qmtl.sql.database import Database
from seamless.artifacts.archive import Archive
from seamless.artifacts.ingest import ingest_all
from seamless.artifacts.inventory import Inventory
from seamless.metrics import SeamlessMetrics
from seamless.presets.preset import Presets
from seamless.sources.files.uploads import UploadedFile
from seamless.uploads.uploads import Uploads
from tests.seamless.uploads.test_service import HOURS


def addition(content: str) -> filespb.FileAddition:
    file = filespb.AddedFile(name="mine", symbol="X", file_name="bars.csv")
    return filespb.FileAddition(file=file, content=zlib.compress(content.encode()))


async def started(db: Database, folder: Path, own_max: int = 8) -> tuple[Uploads, Inventory]:
    """As after a start."""
    inventory = Inventory(Presets(()), db, Archive(folder), SeamlessMetrics(CollectorRegistry()))
    uploads = Uploads(inventory, db, folder / "uploads", 8, own_max)
    await uploads.load()
    return uploads, inventory


async def rename(db: Database, before: str, after: str) -> None:
    await db.write(lambda conn: conn.execute(sa.text(f"ALTER TABLE {before} RENAME TO {after}")))


@pytest.mark.parametrize("table", ["uploads", "reports", "artifacts"])
async def test_what_is_recorded_has_its_file_whatever_breaks_off(db: Database, tmp_path: Path, table: str) -> None:
    uploads, _ = await started(db, tmp_path)
    await uploads.add(addition(HOURS), "alice")
    changed = HOURS.replace("100.5,7", "100.75,7")
    await rename(db, table, "away")
    with pytest.raises(Exception, match=table):
        await uploads.add(addition(changed), "alice")
    await rename(db, "away", table)
    _, inventory = await started(db, tmp_path)
    (preset,) = inventory.presets.all
    assert isinstance(preset.source, UploadedFile)
    assert preset.source.path.is_file()
    again = await uploads.add(addition(changed), "alice")
    assert again.outcome.manifest is not None
    _, inventory = await started(db, tmp_path)
    (preset,) = inventory.presets.all
    assert isinstance(preset.source, UploadedFile)
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == [preset.source.path.name]


async def test_what_is_refused_leaves_nothing_behind(db: Database, tmp_path: Path) -> None:
    uploads, _ = await started(db, tmp_path)
    with pytest.raises(InvalidRequest, match="E_FILE_LAYOUT"):
        await uploads.add(
            addition("time,open,high,low,close,volume\n2024-01-01,1,2,1,1," + "1" * 200_000 + "\n"), "alice"
        )
    assert list((tmp_path / "uploads").iterdir()) == []


async def test_a_start_does_not_judge_again_what_was_added_by_whomever(db: Database, tmp_path: Path) -> None:
    for giver in ("alice", "bob"):
        uploads, _ = await started(db, tmp_path)
        await uploads.add(addition(HOURS), giver)
    registry = CollectorRegistry()
    inventory = Inventory(Presets(()), db, Archive(tmp_path), SeamlessMetrics(registry))
    await Uploads(inventory, db, tmp_path / "uploads", 8, 8).load()
    await ingest_all(inventory)
    (preset,) = inventory.presets.all
    assert isinstance(preset.source, UploadedFile)
    assert preset.source.giver == "bob"
    assert [one for metric in registry.collect() for one in metric.samples if one.labels.get("preset")] == []
    (manifest,) = await inventory.artifacts(preset, Page(9, None))
    assert manifest.producer == "file bars.csv by alice"


async def test_a_file_added_at_one_process_is_served_by_another_of_the_store(db: Database, tmp_path: Path) -> None:
    here, _ = await started(db, tmp_path)
    there, inventory = await started(db, tmp_path)
    await here.add(addition(HOURS), "alice")
    with pytest.raises(NotFound, match="E_DATASET_UNKNOWN"):
        inventory.presets.serving("file.ohlcv.mine")
    await there.load()
    manifest = await inventory.seen_at(inventory.presets.serving("file.ohlcv.mine"), None)
    assert manifest.rows == 46
    bigger = addition(HOURS)
    bigger.file.final = True
    await here.add(bigger, "alice")
    await there.load()
    assert (await inventory.seen_at(inventory.presets.serving("file.ohlcv.mine"), None)).rows == 48


async def test_two_processes_take_no_more_of_one_giver_than_is_his(db: Database, tmp_path: Path) -> None:
    (here, _), (there, _) = await started(db, tmp_path, own_max=1), await started(db, tmp_path, own_max=1)
    first, second = addition(HOURS), addition(HOURS)
    second.file.name = "other"
    took = await asyncio.gather(here.add(first, "alice"), there.add(second, "alice"), return_exceptions=True)
    (refused,) = [one for one in took if isinstance(one, Exhausted)]
    assert (refused.reason, refused.message) == ("E_FILES_FULL", "1 files were added by alice, want at most 1")
    assert len(list((tmp_path / "uploads").iterdir())) == 1
    await there.add(second if isinstance(took[1], Exhausted) else first, "bob")


async def test_rows_that_were_sealed_before_others_are_not_said_to_be_served(db: Database, tmp_path: Path) -> None:
    uploads, inventory = await started(db, tmp_path)
    await uploads.add(addition(HOURS), "alice")
    second = await uploads.add(addition(HOURS.replace("100.5,7", "100.75,7")), "alice")
    with pytest.raises(Conflict, match=r"E_FILE_CONFLICT: file.ohlcv.mine: these rows were sealed as of 2024"):
        await uploads.add(addition(HOURS), "alice")
    assert await inventory.newest(second.preset) == second.outcome.manifest
    assert len(list((tmp_path / "uploads").iterdir())) == 1
    other = addition(HOURS)
    other.file.name = "older"
    assert (await uploads.add(other, "alice")).outcome.manifest is not None
