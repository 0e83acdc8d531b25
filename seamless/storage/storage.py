"""The store of fetched bars: write what a source answered, read it back, ask what is there.

    await storage.write(dataset, bars, span, Provenance("binance"))   # durable when it returns
    bars = await storage.read(dataset, span)
    known = await storage.coverage(dataset)

Files are durable before the transaction that counts them in; one that never was counted in is swept later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import numpy as np

from qmtl.calendars.spans import Span
from qmtl.core.errors import DataLoss, refused
from qmtl.sql.database import Database
from seamless.domain.bars import Bars, coverage_of, first_impossible
from seamless.domain.datasets import DatasetId
from seamless.domain.fingerprints import by_month
from seamless.domain.stored import Provenance, StoredCoverage, check_delivery, layered
from seamless.storage import files, store
from seamless.storage.store import Part

_READ_ATTEMPTS = 3  # a file that is gone was compacted meanwhile; the next list names the one in its place
_KNOWN_MAX = 256


class Storage:
    """Bars of every dataset under one folder, by dataset and month."""

    def __init__(self, root: Path, db: Database) -> None:
        self._root = root
        self._db = db
        self._known: dict[str, StoredCoverage] = {}

    async def write(self, dataset: DatasetId, bars: Bars, span: Span, provenance: Provenance) -> StoredCoverage:
        """Keep the bars that a source gave for a span: sorted, distinct, on the grid, inside it. A bar that is there
        already is replaced and flagged REVISED if it differs. What is known of the dataset afterwards.

        Safe from several processes at once. Raises InvalidRequest (E_RANGE, E_BARS), Exhausted (E_DISK_SMALL),
        Unavailable (E_DATABASE_UNAVAILABLE): nothing is counted in.
        """
        check_delivery(bars, span, dataset.interval_ns, provenance)
        check_possible(bars)
        made = await asyncio.to_thread(self._write_parts, dataset, bars, provenance.producer)
        have = coverage_of(bars.time_ns, dataset.interval_ns)
        await self._db.write(lambda conn: store.add_delivery(conn, str(dataset), made, have, span, provenance))
        return await self.coverage(dataset)

    async def read(self, dataset: DatasetId, span: Span) -> Bars:
        """The bars that open inside a span. Raises DataLoss (E_STORED_FILE) if a file is gone, cut off or changed."""
        for _ in range(_READ_ATTEMPTS):
            found = await self._db.read(lambda conn: store.parts_of(conn, str(dataset), span))
            try:
                return (await asyncio.to_thread(self.bars_of_parts, dataset, found)).within(span)
            except FileNotFoundError as error:
                missing = error.filename
        raise DataLoss("E_STORED_FILE", f"{missing} is gone", metadata={"file": str(missing)})

    async def coverage(self, dataset: DatasetId) -> StoredCoverage:
        """What is known of a dataset: read, there, stated empty or down."""
        name = str(dataset)
        version = await self._db.read(lambda conn: store.version_of(conn, name))
        known = self._known.get(name)
        if known is None or known.version != version:
            known = await self._db.read(lambda conn: store.load_coverage(conn, name))
            while len(self._known) >= _KNOWN_MAX:
                self._known.pop(next(iter(self._known)))
            self._known[name] = known
        return known

    async def datasets(self) -> list[str]:
        """Every dataset that was ever written, by name."""
        return await self._db.read(store.datasets)

    async def parts(self, dataset: DatasetId) -> list[Part]:
        """The files of a dataset."""
        return await self._db.read(lambda conn: store.parts_of(conn, str(dataset)))

    async def swap(self, dataset: DatasetId, old: Sequence[Part], new: Part) -> bool:
        """Let one file count in the place of several; False if one of them counts no more."""
        return await self._db.write(lambda conn: store.replace_parts(conn, str(dataset), old, new))

    def bars_of_parts(self, dataset: DatasetId, found: Sequence[Part]) -> Bars:
        """The bars of parts, the later over the earlier, every file compared with its hash; work for a thread.

        Raises FileNotFoundError, DataLoss (E_STORED_FILE).
        """
        tables = []
        for part in found:
            table = files.bars_of(files.read_frame(self.path_of(dataset, part), part.sha256))
            if len(table) != part.rows:
                path = self.path_of(dataset, part)
                raise DataLoss("E_STORED_FILE", f"{path} has {len(table)} rows, not {part.rows}")
            tables.append(table)
        return layered(tables)

    def write_part(self, dataset: DatasetId, month: str, rows: Bars, producer: str) -> Part:
        """Make a file of one month's rows durable; it counts once it is in the catalogue. Work for a thread."""
        span = Span(int(rows.time_ns[0]), int(rows.time_ns[-1]) + dataset.interval_ns)
        draft = Part(month, f"{uuid4().hex}.parquet", "", len(rows), span, producer)
        sha256 = files.write_file(self.path_of(dataset, draft), files.parquet(rows))
        return Part(month, draft.file, sha256, draft.rows, span, producer)

    def folder_of(self, dataset: DatasetId) -> Path:
        """Where a dataset's months are."""
        return self._root / quote(str(dataset), safe="")

    def path_of(self, dataset: DatasetId, part: Part) -> Path:
        return self.folder_of(dataset) / part.month / part.file

    def _write_parts(self, dataset: DatasetId, bars: Bars, producer: str) -> list[Part]:
        return [self.write_part(dataset, month, rows, producer) for month, rows in by_month(bars)]


def check_possible(bars: Bars) -> None:
    """Raises InvalidRequest (E_BARS) if a value is none that a bar can have."""
    if not all(np.isfinite(column).all() for column in bars.values()):
        raise refused("E_BARS", "bars", "a value that is not finite", "numbers")
    fault = first_impossible(bars.values())
    if fault is not None:
        raise refused("E_BARS", f"bars[{fault.row}].{fault.field}", f"{fault.value:g}", fault.want)
