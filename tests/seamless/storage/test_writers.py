"""Writers of one partition in several processes: nothing is lost, half there, or held by one that was killed."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import numpy as np
import pytest

from qmtl.calendars.spans import Span
from qmtl.sql.database import Database
from seamless.domain.bars import Bars, RowFlag, coverage_of
from seamless.storage import compaction
from seamless.storage.storage import Storage
from tests.seamless.storage.writers import (
    DATASET,
    PAGE_BARS,
    PAGES,
    SHARED_BARS,
    THIRD,
    VICTIM,
    bars_of,
    own_bar,
    span_of,
)
from tests.support.processes import ROOT, python_env

RECLAIMED_S = 10.0  # a killed writer's transaction ends with it; this is starting one's own on a busy machine


async def check(url: str, db: Database, folder: Path, seed: int) -> None:
    """Kill one of two writers in the middle while a third takes its place, then compare all that there is."""
    command = (sys.executable, "-m", "tests.seamless.storage.writers", url, str(folder), str(seed))
    running = await asyncio.create_subprocess_exec(*command, env=python_env(), cwd=ROOT, stdout=PIPE)
    out, _ = await running.communicate()
    assert running.returncode == 0
    *lines, waited_s = out.decode().splitlines()
    told = {(int(writer), int(page)) for writer, page in map(str.split, lines)}
    assert {(writer, page) for writer, page in told if writer != VICTIM} == {
        (writer, page) for writer in range(1, THIRD + 1) for page in range(PAGES)
    }, "a writer that lives writes all of its pages"
    assert float(waited_s) < RECLAIMED_S

    storage = Storage(folder, db)
    known = await storage.coverage(DATASET)
    assert await compaction.damages(storage, DATASET) == []
    whole = Span(span_of(0).start_ns, span_of(PAGES - 1).end_ns)
    assert known.read == (whole,)
    stored = await storage.read(DATASET, whole)
    assert known.have == coverage_of(stored.time_ns, DATASET.interval_ns), "what counts is what can be read"
    there = set(stored.time_ns.tolist())
    counted = {(w, page) for w in range(THIRD + 1) for page in range(PAGES) if own_bar(w, page) in there}
    assert counted >= told, "what a writer was told is kept is there"
    assert len(counted - told) <= 1, "a writer that is killed has one page on its way"
    written = {row for w, page in counted for row in rows(bars_of(w, page))}
    assert set(rows(stored)) <= written, "each bar is one writer's, whole"
    shared = (stored.time_ns - whole.start_ns) // DATASET.interval_ns % PAGE_BARS < SHARED_BARS
    assert (stored.flags[shared] == RowFlag.REVISED).all(), "nobody's word went under unseen"
    assert not stored.flags[~shared].any()

    for path in storage.folder_of(DATASET).glob("*/*"):
        os.utime(path, (0, 0))
    await compaction.compact(storage, DATASET)
    left = {path.name for path in storage.folder_of(DATASET).glob("*/*") if path.is_file()}
    assert left == {part.file for part in await storage.parts(DATASET)}, "what the killed one left is swept"
    after = await storage.read(DATASET, whole)
    assert all(np.array_equal(a, b) for a, b in zip(stored.columns(), after.columns(), strict=True))


def rows(bars: Bars) -> list[tuple[float, ...]]:
    """Bars as rows, without their flags."""
    return list(zip(*(column.tolist() for column in bars.columns()[:-1]), strict=True))


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
async def test_two_processes_write_one_month_and_one_is_killed(database_url: str, db: Database, tmp_path: Path) -> None:
    await check(database_url, db, tmp_path / "stored", 1)


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(2, 12))
async def test_wherever_it_is_killed(database_url: str, db: Database, tmp_path: Path, seed: int) -> None:
    await check(database_url, db, tmp_path / "stored", seed)
