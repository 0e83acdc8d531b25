"""Storage in process beside its floors: a year of bars against a bare polars read, coverage of 10,000 spans.

    python -m bench.market_data.storage

Each floor is measured in the same run, so that the machine cancels out.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from bench._measuring import best_ms  # noqa: E402 - the checkout is put on the path above
from qmtl.calendars.calendars import AlwaysOpen  # noqa: E402
from qmtl.calendars.spans import Span, missing  # noqa: E402
from qmtl.sql.database import Database, sqlite_url  # noqa: E402
from seamless.domain.bars import VALUES, Bars, of_values  # noqa: E402
from seamless.domain.conformance.conform import conform  # noqa: E402
from seamless.domain.conformance.policies import TOLERANT  # noqa: E402
from seamless.domain.conformance.raw_columns import RawColumns  # noqa: E402
from seamless.domain.datasets import DatasetId, Kind  # noqa: E402
from seamless.domain.stored import Provenance  # noqa: E402
from seamless.storage import compaction, files  # noqa: E402
from seamless.storage.storage import Storage  # noqa: E402

MINUTE = 60_000_000_000
YEAR_MINUTES = 525_600
SPANS = 10_000
START = 1_609_459_200_000_000_000
DATASET = DatasetId(Kind.OHLCV, "bench", "X", 60)
ROUNDS = 9


def year() -> Bars:
    """One year of one minute bars, a seeded walk."""
    noise = np.random.default_rng(1)
    close = 50_000 + np.cumsum(noise.normal(size=YEAR_MINUTES))
    opens = np.concatenate(([50_000.0], close[:-1]))
    values = [opens, np.maximum(opens, close) + 1, np.minimum(opens, close) - 1, close, noise.random(YEAR_MINUTES)]
    times = START + MINUTE * np.arange(YEAR_MINUTES, dtype=np.int64)
    return of_values(times, values, np.zeros(YEAR_MINUTES, np.uint8))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


async def measure(home: Path) -> None:
    """Print a line for each question."""
    db = Database(sqlite_url(home / "seamless.db"))
    await db.migrate("seamless:migrations")
    bars, span = year(), Span(START, START + YEAR_MINUTES * MINUTE)
    storage = Storage(home / "stored", db)
    began = time.perf_counter()
    await storage.write(DATASET, bars, span, Provenance("bench"))
    say(f"write of {YEAR_MINUTES} bars: {1e3 * (time.perf_counter() - began):.0f} ms")
    (home / "bare.parquet").write_bytes(files.parquet(bars))

    async def stored() -> object:
        return (await storage.read(DATASET, span)).close

    async def bare() -> object:
        frame = pl.read_parquet(home / "bare.parquet")
        return [frame[name].to_numpy() for name in ("open_time", *VALUES)]

    floor, taken = await best_ms(bare, ROUNDS), await best_ms(stored, ROUNDS)
    say(f"read of a year: {taken:.1f} ms, bare polars {floor:.1f} ms, ratio {taken / floor:.2f} (aim < 3)")
    await coverage(home, db, bars)
    raw = RawColumns(dict(zip(("time", *VALUES), bars.columns(), strict=False)), utc_known=True)

    async def judge() -> object:
        return conform(raw, dataset=str(DATASET), interval_ns=MINUTE, calendar=AlwaysOpen(), policy=TOLERANT)

    say(f"conformance: {YEAR_MINUTES / (await best_ms(judge, ROUNDS)) * 1e3 / 1e6:.1f} million rows/s")
    compacted = time.perf_counter()
    await storage.write(DATASET, bars.take(slice(0, 10)), Span(START, START + 10 * MINUTE), Provenance("bench"))
    await compaction.compact(storage, DATASET)
    say(f"compaction of a month: {1e3 * (time.perf_counter() - compacted):.0f} ms")
    await db.close()


async def coverage(home: Path, db: Database, bars: Bars) -> None:
    """What is there and what is missing of a dataset in 10,000 spans."""
    holes = bars.take(np.flatnonzero(np.arange(4 * SPANS) % 4 < 2))
    span = Span(START, START + 4 * SPANS * MINUTE)
    other = DatasetId(Kind.OHLCV, "holes", "X", 60)
    await Storage(home / "stored", db).write(other, holes, span, Provenance("bench"))
    expected = AlwaysOpen().expected(span, MINUTE)

    kept = Storage(home / "stored", db)

    async def first() -> object:
        return await Storage(home / "stored", db).coverage(other)

    async def again() -> object:
        return await kept.coverage(other)

    async def rest() -> object:
        return missing(expected, (await kept.coverage(other)).have)

    assert len((await kept.coverage(other)).have) == SPANS
    one, more, gaps = await best_ms(first, ROUNDS), await best_ms(again, ROUNDS), await best_ms(rest, ROUNDS)
    say(f"coverage of {SPANS} spans: first {one:.1f} ms (aim 10), again {more:.2f} ms (aim 2.5), missing {gaps:.1f} ms")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
