"""Stored bars: read back exactly, whatever was killed, full, cut off or asked twice."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from qmtl.calendars.spans import Span
from qmtl.core.errors import DataLoss, Exhausted, InvalidRequest
from qmtl.sql.database import Database
from seamless.domain import fingerprints
from seamless.domain.bars import Bars, RowFlag, of_values
from seamless.domain.datasets import DatasetId, Kind
from seamless.domain.stored import Provenance
from seamless.storage import compaction
from seamless.storage.storage import Storage
from tests.seamless.samples import START, STEP, walk

HOSTILE = DatasetId(Kind.OHLCV, "../..", "BTC/USDT:USDT %2e\n\N{SNOWMAN}", 900)
DATASET = DatasetId(Kind.OHLCV, "test", "X", 900)
SAID = Provenance("test")


@pytest.fixture
def storage(tmp_path: Path, db: Database) -> Storage:
    return Storage(tmp_path / "stored", db)


def _span(first: int, last: int) -> Span:
    return Span(START + first * STEP, START + last * STEP)


def _equal(ours: Bars, theirs: Bars) -> bool:
    return all(a.tolist() == b.tolist() for a, b in zip(ours.columns(), theirs.columns(), strict=True))


def _files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.parquet"))


async def _write(storage: Storage, edges: Sequence[int], dataset: DatasetId = DATASET) -> Bars:
    """3,000 bars over two months in pages that end at these."""
    bars = walk(3000)
    for first, last in pairwise(edges):
        await storage.write(dataset, bars.within(_span(first, last)), _span(first, last), SAID)
    return bars


async def test_bars_come_back_as_they_were_written_page_by_page(storage: Storage) -> None:
    bars = await _write(storage, [0, 7, 1000, 2999, 3000])
    assert _equal(await storage.read(DATASET, _span(0, 3000)), bars)
    assert _equal(await storage.read(DATASET, _span(5, 1001)), bars.within(_span(5, 1001)))
    assert (await storage.coverage(DATASET)).have == (_span(0, 3000),)


async def test_coverage_is_kept_with_what_the_source_said(storage: Storage, db: Database, tmp_path: Path) -> None:
    bars = walk(20)
    rest = bars.take(np.arange(20) % 10 < 5)
    said = Provenance("test", empty=(_span(5, 8),), outage=(_span(15, 16),))
    told = await storage.write(DATASET, rest, _span(0, 20), said)
    assert told == await Storage(tmp_path, db).coverage(DATASET)
    assert (told.read, told.have) == ((_span(0, 20),), (_span(0, 5), _span(10, 15)))
    assert (told.empty, told.outage) == ((_span(5, 8),), (_span(15, 16),))
    after = await storage.write(DATASET, bars.within(_span(6, 7)), _span(6, 7), SAID)
    assert (after.have, after.empty) == ((_span(0, 5), _span(6, 7), _span(10, 15)), (_span(5, 6), _span(7, 8)))


async def test_a_later_bar_replaces_an_earlier_one_and_is_flagged(storage: Storage) -> None:
    bars = await _write(storage, [0, 10])
    again = bars.within(_span(0, 3))
    changed = of_values(again.time_ns, [column + np.array([0.0, 0.0, 1.0]) for column in again.values()], again.flags)
    await storage.write(DATASET, changed, _span(0, 3), SAID)
    got = await storage.read(DATASET, _span(0, 10))
    assert got.close[:3].tolist() == changed.close.tolist()
    assert np.flatnonzero(got.flags == RowFlag.REVISED).tolist() == [2]


async def test_compaction_changes_no_row_and_leaves_one_file_a_month(storage: Storage, tmp_path: Path) -> None:
    bars = await _write(storage, [0, 200, 800, 2800, 3000])
    assert await compaction.compact(storage, DATASET) == ["2021-09", "2021-10"]
    assert _equal(await storage.read(DATASET, _span(0, 3000)), bars)
    assert len(_files(tmp_path)) == len(await storage.parts(DATASET)) == 2
    assert await compaction.compact(storage, DATASET) == []
    assert await compaction.damages(storage, DATASET) == []


async def test_writes_during_a_compaction_are_kept_and_stay_on_top(storage: Storage) -> None:
    bars = await _write(storage, [0, 100, 200])
    later = bars.within(_span(50, 60))
    moved = of_values(later.time_ns, [column + 1.0 for column in later.values()], later.flags)
    await asyncio.gather(
        compaction.compact(storage, DATASET),
        storage.write(DATASET, moved, _span(50, 60), SAID),
        compaction.compact(storage, DATASET),
    )
    assert (await storage.read(DATASET, _span(50, 60))).close.tolist() == moved.close.tolist()
    assert len(await storage.read(DATASET, _span(0, 200))) == 200
    await compaction.compact(storage, DATASET)
    assert (await storage.read(DATASET, _span(50, 60))).close.tolist() == moved.close.tolist()


async def test_writers_of_several_stores_lose_nothing(storage: Storage, db: Database, tmp_path: Path) -> None:
    other = Storage(tmp_path / "stored", db)
    bars = walk(1000)
    pages = [(first, first + 50) for first in range(0, 1000, 50)]
    writes = [
        store.write(DATASET, bars.within(_span(*page)), _span(*page), SAID)
        for page, store in zip(pages, [storage, other] * 10, strict=True)
    ]
    await asyncio.gather(*writes)
    assert _equal(await storage.read(DATASET, _span(0, 1000)), bars)
    assert (await other.coverage(DATASET)).have == (_span(0, 1000),)
    assert (await storage.coverage(DATASET)).version == 20


@pytest.mark.parametrize("where", [-1, 4, 200])
async def test_a_flipped_byte_is_found_and_not_compacted(storage: Storage, where: int) -> None:
    await _write(storage, [0, 100, 200])
    path = storage.path_of(DATASET, (await storage.parts(DATASET))[0])
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)
    assert len(await compaction.damages(storage, DATASET)) == 1
    with pytest.raises(DataLoss, match=r"E_STORED_FILE: .* is not what was written"):
        await storage.read(DATASET, _span(0, 100))
    with pytest.raises(DataLoss) as caught:
        await compaction.compact(storage, DATASET)
    assert caught.value.reason == "E_STORED_FILE"
    assert len(await storage.parts(DATASET)) == 2
    assert path.read_bytes() == content


async def test_a_file_that_is_cut_off_or_gone_is_named(storage: Storage) -> None:
    await _write(storage, [0, 100])
    path = storage.path_of(DATASET, (await storage.parts(DATASET))[0])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataLoss, match=path.name):
        await storage.read(DATASET, _span(0, 100))
    path.unlink()
    with pytest.raises(DataLoss, match=path.name):
        await storage.read(DATASET, _span(0, 100))
    assert await compaction.damages(storage, DATASET) == [f"{path} is gone"]


def test_a_full_disk_leaves_nothing_behind_and_says_so(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path; from seamless.storage.files import write_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "write_file(Path(sys.argv[1]), b'n' * 4096)"
    )
    path = tmp_path / "month" / "bars.parquet"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert f"E_DISK_SMALL: {path}: File too large, 4096 bytes were to be kept" in done.stderr
    assert list(path.parent.iterdir()) == []


async def test_what_cannot_be_written_is_not_counted_in(db: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    nowhere = Storage(tmp_path / "file", db)
    with pytest.raises(Exhausted, match=r"E_DISK_SMALL.*Not a directory"):
        await nowhere.write(DATASET, walk(10), _span(0, 10), SAID)
    assert (await nowhere.coverage(DATASET)).read == ()


async def test_a_name_cannot_leave_the_folder(storage: Storage, tmp_path: Path) -> None:
    await _write(storage, [0, 10], HOSTILE)
    [written] = _files(tmp_path)
    assert written.parents[2] == tmp_path / "stored"
    assert len(await storage.read(HOSTILE, _span(0, 10))) == 10
    assert await storage.datasets() == [str(HOSTILE)]


async def test_impossible_bars_are_refused_and_nothing_is_kept(storage: Storage) -> None:
    bars = walk(3)
    for values in ([bars.open, bars.low, bars.high, bars.close, bars.volume], [bars.open * np.nan] * 5):
        with pytest.raises(InvalidRequest) as caught:
            await storage.write(DATASET, of_values(bars.time_ns, values, bars.flags), _span(0, 3), SAID)
        assert caught.value.reason == "E_BARS"
    assert await storage.parts(DATASET) == []


async def test_a_file_that_was_never_counted_in_is_swept_when_it_is_old(storage: Storage) -> None:
    await _write(storage, [0, 10])
    part = (await storage.parts(DATASET))[0]
    fresh, old = (storage.path_of(DATASET, part).with_name(name) for name in ("fresh.parquet", "old.parquet"))
    for path, age_s in ((fresh, 3600.0), (old, compaction.ORPHAN_AGE_S + 3600.0)):
        path.write_bytes(b"left behind")
        changed = path.stat().st_mtime - age_s
        os.utime(path, (changed, changed))
    await compaction.compact(storage, DATASET)
    assert [fresh.exists(), old.exists(), storage.path_of(DATASET, part).exists()] == [True, False, True]


async def test_pages_order_layout_and_compaction_do_not_change_the_fingerprint(storage: Storage) -> None:
    bars = walk(3000)
    wanted = fingerprints.leaves(str(DATASET), bars)
    for pages in ([(0, 3000)], [(1500, 3000), (0, 10), (10, 1500)], [(0, 2000), (1000, 3000)]):
        for first, last in pages:
            await storage.write(DATASET, bars.within(_span(first, last)), _span(first, last), SAID)
        assert fingerprints.leaves(str(DATASET), await storage.read(DATASET, _span(0, 3000))) == wanted
        await compaction.compact(storage, DATASET)
        assert fingerprints.leaves(str(DATASET), await storage.read(DATASET, _span(0, 3000))) == wanted
    one = bars.within(_span(7, 8))
    moved = of_values(one.time_ns, [np.nextafter(column, np.inf) for column in one.values()], one.flags)
    await storage.write(DATASET, moved, _span(7, 8), SAID)
    assert fingerprints.leaves(str(DATASET), await storage.read(DATASET, _span(0, 3000))) != wanted


async def test_a_file_that_goes_while_it_is_looked_at_stops_no_sweep(storage: Storage) -> None:
    await _write(storage, [0, 7, 3000])
    gone = storage.folder_of(DATASET) / "2021-10" / ".half.parquet"
    gone.parent.mkdir(exist_ok=True)
    gone.symlink_to(gone.with_name("renamed"))
    orphan = gone.with_name("orphan.parquet")
    orphan.write_bytes(b"")
    os.utime(orphan, (0, 0))
    await compaction.compact(storage, DATASET)
    assert not orphan.exists()
