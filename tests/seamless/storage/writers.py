"""Processes that write the same month of one dataset, of which one is ended with -9 in the middle.

python -m tests.seamless.storage.writers DATABASE FOLDER SEED

The writers are forked before anything runs, each with a store of its own. Every line is "WRITER PAGE" of a page that a
writer was told is kept; the last is how long the third one, which begins after the killing, waited for its first page.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from qmtl.calendars.spans import Span
from qmtl.sql.database import Database
from seamless.domain.bars import Bars, of_values
from seamless.domain.datasets import DatasetId, Kind
from seamless.domain.stored import Provenance
from seamless.storage import compaction
from seamless.storage.storage import Storage
from tests.seamless.samples import START, STEP, walk

DATASET = DatasetId(Kind.OHLCV, "test", "X", 900)
PAGES, PAGE_BARS, SHARED_BARS = 8, 20, 16
VICTIM, OTHER, THIRD = range(3)


def span_of(page: int) -> Span:
    """What a page is about."""
    first = START + page * PAGE_BARS * STEP
    return Span(first, first + PAGE_BARS * STEP)


def own_bar(writer: int, page: int) -> int:
    """The open of the one bar of a page that no other writer has."""
    return span_of(page).start_ns + (SHARED_BARS + writer) * STEP


def bars_of(writer: int, page: int) -> Bars:
    """The bars of a page as a writer has them: those that all have, each with other values, and its own."""
    bars = walk(PAGES * PAGE_BARS).within(span_of(page))
    bars = bars.take((np.arange(PAGE_BARS) < SHARED_BARS) | (bars.time_ns == own_bar(writer, page)))
    by = 1_000.0 * (writer + 1)
    return of_values(bars.time_ns, [column + by for column in bars.values()], bars.flags)


async def write(url: str, folder: Path, writer: int, pages: list[int], told: Callable[[int], object]) -> None:
    db = Database(url)
    storage = Storage(folder, db)
    for page in pages:
        await storage.write(DATASET, bars_of(writer, page), span_of(page), Provenance(f"writer-{writer}"))
        told(page)
        if page % 4 == writer:
            await compaction.compact(storage, DATASET)
    await db.close()


def forked(url: str, folder: Path, writer: int, pages: list[int]) -> tuple[int, int]:
    """A process that writes, and where it says which pages are kept."""
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(2, 1)  # logs are no answer
        asyncio.run(write(url, folder, writer, pages, lambda page: os.write(there, bytes([page]))))
        os._exit(0)
    os.close(there)
    return pid, here


def kept(pipe: int, count: int = 1 << 16) -> list[int]:
    """The pages that a writer was told are kept, until there are so many or it has ended."""
    found = b""
    while len(found) < count and (more := os.read(pipe, count - len(found))):
        found += more
    return list(found)


def main(url: str, folder: str, seed: str) -> None:
    random = Random(int(seed))
    orders = [random.sample(range(PAGES), PAGES) for _ in range(3)]
    victim, other = (forked(url, Path(folder), writer, orders[writer]) for writer in (VICTIM, OTHER))
    told = {VICTIM: kept(victim[1], random.randint(1, PAGES - 3))}
    time.sleep(random.uniform(0.0, 0.01))  # somewhere in the writing of the next page; where does not matter
    os.kill(victim[0], signal.SIGKILL)
    began = time.monotonic()
    third = forked(url, Path(folder), THIRD, orders[THIRD])
    told[THIRD] = kept(third[1], 1)
    waited_s = time.monotonic() - began
    told[VICTIM] += kept(victim[1])
    told[OTHER] = kept(other[1])
    told[THIRD] += kept(third[1])
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _ in (victim, other, third)]
    if ends != [-signal.SIGKILL, 0, 0]:
        sys.exit(f"writers ended with {ends}")
    for writer, pages in told.items():
        for page in pages:
            sys.stdout.write(f"{writer} {page}\n")
    sys.stdout.write(f"{waited_s}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
