"""Compaction: the parts of a month become one file, with the same rows and the same fingerprint.

The new file is written, read back and compared before it counts; the old ones go after that. A damaged part stops it:
damage is never copied into a file with a good hash.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import numpy as np
import structlog

from qmtl.core.clock import Clock
from qmtl.core.errors import DataLoss, QmtlError
from seamless.domain.bars import Bars
from seamless.domain.datasets import DatasetId, parse_dataset
from seamless.domain.fingerprints import leaf_digest
from seamless.storage import files
from seamless.storage.storage import Storage
from seamless.storage.store import Part

COMPACT_EVERY_S = 600.0
COMPACT_PARTS = 32
ORPHAN_AGE_S = 86_400.0  # a file that no write has counted in for so long never will be
log = structlog.stdlib.get_logger("qmtl.seamless.storage")


async def keep_compacted(storage: Storage, clock: Clock) -> None:
    """Compact what has many parts, for ever; what cannot be is told and tried again in the next round."""
    while True:
        await clock.sleep(COMPACT_EVERY_S)
        for name in await storage.datasets():
            try:
                await compact(storage, parse_dataset(name), parts_min=COMPACT_PARTS)
            except QmtlError as error:
                log.warning("not_compacted", dataset=name, reason=error.reason, detail=error.message)


async def compact(storage: Storage, dataset: DatasetId, *, parts_min: int = 2) -> list[str]:
    """Make one file of each month with at least so many; the months it did it for.

    Raises DataLoss (E_STORED_FILE), Exhausted (E_DISK_SMALL): what was there before still counts.
    """
    done = []
    found = await storage.parts(dataset)
    for month, parts in groupby(found, key=lambda part: part.month):
        old = list(parts)
        if len(old) >= parts_min and await _compact_month(storage, dataset, month, old):
            done.append(month)
    await asyncio.to_thread(_sweep, storage.folder_of(dataset), {part.file for part in await storage.parts(dataset)})
    return done


async def damages(storage: Storage, dataset: DatasetId) -> list[str]:
    """What is wrong with the files of a dataset, each compared with the hash it was written under."""
    found = []
    for part in await storage.parts(dataset):
        try:
            await asyncio.to_thread(storage.bars_of_parts, dataset, [part])
        except FileNotFoundError:
            found.append(f"{storage.path_of(dataset, part)} is gone")
        except DataLoss as error:
            found.append(error.message)
    return found


async def _compact_month(storage: Storage, dataset: DatasetId, month: str, old: Sequence[Part]) -> bool:
    """False if another process compacted it meanwhile."""
    try:
        new = await asyncio.to_thread(_merged, storage, dataset, month, old)
    except FileNotFoundError as error:
        if not {part.file for part in old} <= {part.file for part in await storage.parts(dataset)}:
            return False
        raise DataLoss("E_STORED_FILE", f"{error.filename} is gone", metadata={"file": str(error.filename)}) from error
    swapped = await storage.swap(dataset, old, new)
    gone = old if swapped else [new]
    await asyncio.to_thread(_delete, [storage.path_of(dataset, part) for part in gone])
    log.info("month_compacted", dataset=str(dataset), month=month, parts=len(old), swapped=swapped)
    return swapped


def _merged(storage: Storage, dataset: DatasetId, month: str, old: Sequence[Part]) -> Part:
    """One file of several, read back and equal."""
    rows = storage.bars_of_parts(dataset, old)
    new = storage.write_part(dataset, month, rows, ", ".join(dict.fromkeys(part.producer for part in old)))
    back = files.bars_of(files.read_frame(storage.path_of(dataset, new), new.sha256))
    if not _same(dataset, month, rows, back):
        path = storage.path_of(dataset, new)
        path.unlink()
        raise DataLoss("E_STORED_FILE", f"{path} was not read back as it was written", metadata={"file": str(path)})
    return new


def _same(dataset: DatasetId, month: str, ours: Bars, theirs: Bars) -> bool:
    if len(ours) != len(theirs) or not np.array_equal(ours.flags, theirs.flags):
        return False
    return leaf_digest(str(dataset), month, ours) == leaf_digest(str(dataset), month, theirs)


def _delete(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _sweep(folder: Path, counted: set[str]) -> None:
    """Delete files that a writer left behind when it was killed before it counted them in."""
    before = time.time() - ORPHAN_AGE_S
    for path in folder.glob("*/*"):
        with suppress(FileNotFoundError):  # a writer renamed it meanwhile, or another process swept it
            if path.name not in counted and path.stat().st_mtime < before:
                path.unlink()
