"""Bars of one dataset that another seamless has sealed.

    source = RemoteSource(peer, dataset, store_id)
    answer = await source.fetch(span, Purpose.HISTORY)

An answer is of one artifact, and is compared with the fingerprint that the other computed of the same rows.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import polars as pl

from qmtl.calendars.calendars import Calendar
from qmtl.calendars.spans import Coverage, Span, intersect, normalise, subtract
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotReady
from qmtl.data.v1 import artifacts_pb2 as artifactspb
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.exchanges.budgets import Purpose
from seamless.artifacts.inventory import Inventory
from seamless.config import Settings
from seamless.domain.bars import Bars, coverage_of
from seamless.domain.conformance.conform import RULE_VERSION
from seamless.domain.datasets import DatasetId
from seamless.domain.fingerprints import leaves, range_digest
from seamless.remotes.peer import Peer, peers
from seamless.remotes.wire import artifact_span, calendar_of, differences, spans_of
from seamless.sources.ccxt.answers import Answer
from seamless.storage.files import SCHEMA, bars_of
from seamless.wire import span_to_proto


@dataclass(frozen=True, slots=True)
class Pinned:
    """The artifact that answers are of, with the calendar it was judged by."""

    artifact: artifactspb.Artifact
    span: Span
    calendar: Calendar


class RemoteSource:
    """One dataset of another seamless. Safe for concurrent fetches."""

    def __init__(self, peer: Peer, dataset: DatasetId, store_id: str) -> None:
        """`store_id`: this store's, which must not be among those that the bars come through."""
        self.producer = f"seamless {peer.name}"
        self.dataset = dataset
        self.peer = peer
        self.known: datasetspb.Preset | None = None  # as it was when the preset here was made
        self._store_id = store_id
        self._pinned: Pinned | None = None

    async def described(self) -> datasetspb.Preset:
        """The dataset's preset there, that bars may be taken of.

        Raises NotReady (E_REMOTE_LOOP, E_REMOTE_DIFFERS, E_REMOTE_REFUSED), Unavailable (E_REMOTE_UNREACHABLE).
        """
        told = await self.peer.preset(str(self.dataset))
        if self._store_id in told.lineage:
            raise NotReady(
                "E_REMOTE_LOOP",
                f"{self.peer} has {self.dataset} from here: its bars came through {len(told.lineage)} stores",
                metadata={"remote": self.peer.name},
            )
        if self.known is not None and (words := differences(self.known, told)):
            raise self.differs(f"{self.dataset}: {words}")
        return told

    async def pin(self) -> Pinned:
        """The newest artifact there, which answers are of from now on. Raises as `described`."""
        told = await self.described()
        artifact = await self.peer.newest(str(self.dataset))
        calendar = calendar_of(told)
        ours = (RULE_VERSION, calendar.name, calendar.version)
        theirs = (artifact.rule_version, artifact.calendar, artifact.calendar_version)
        if ours != theirs:
            words = ("rules {}, calendar {} {}".format(*each) for each in (ours, theirs))
            raise self.differs("{}: judged by {} here, by {} there".format(self.dataset, *words))
        self._pinned = Pinned(artifact, artifact_span(artifact), calendar)
        return self._pinned

    async def pinned(self) -> Pinned:
        """The artifact that answers are of."""
        return self._pinned or await self.pin()

    async def now_ns(self, purpose: Purpose = Purpose.MARKET_DATA) -> int:
        """The close of the newest bar that is sealed there. Raises as `described`."""
        return (await self.pin()).span.end_ns

    def quick_from_ns(self, now_ns: int) -> int:
        """All of its history comes alike."""
        return 0

    async def fetch(self, span: Span, purpose: Purpose) -> Answer:
        """The sealed bars of a span, and what is said there of the others.

        Raises NotReady (E_REMOTE_DIFFERS, E_REMOTE_REFUSED), Unavailable (E_REMOTE_UNREACHABLE).
        """
        pinned = await self.pinned()
        bars = await self._bars(pinned, span)
        have = coverage_of(bars.time_ns, self.dataset.interval_ns)
        asked = coverageservicepb.GetCoverageRequest(dataset=str(self.dataset), range=span_to_proto(span))
        gaps = await self.peer.gaps(asked)

        def said(kind: coveragepb.GapKind) -> Coverage:
            told = spans_of(gap.range for gap in gaps if gap.kind == kind)
            return subtract(intersect(told, (span,)), have)

        empty, outage = said(coveragepb.GAP_KIND_VERIFIED_EMPTY), said(coveragepb.GAP_KIND_OUTAGE)
        known = normalise((*have, *empty, *outage, *said(coveragepb.GAP_KIND_UNKNOWN)))
        unread = subtract(pinned.calendar.expected(span, self.dataset.interval_ns), known)
        return Answer(span, bars, empty, outage=outage, unread=unread)

    def differs(self, why: str) -> NotReady:
        """What is here and what is there are not the same."""
        return NotReady("E_REMOTE_DIFFERS", f"{self.peer}: {why}", metadata={"remote": self.peer.name})

    async def _bars(self, pinned: Pinned, span: Span) -> Bars:
        """The artifact's rows in a span, that have the fingerprint which the other says they have."""
        context = commonpb.ComputeContext(
            execution_domain=commonpb.EXECUTION_DOMAIN_BACKTEST, dataset_fingerprint=pinned.artifact.dataset_fingerprint
        )
        request = dataservicepb.FetchRequest(
            dataset=str(self.dataset),
            range=span_to_proto(span),
            context=context,
            mode=dataservicepb.FETCH_MODE_PARTIAL,
        )
        frames, metadata = [pl.DataFrame(schema=SCHEMA)], None
        async for part in self.peer.fetch(request):
            if part.WhichOneof("part") == "metadata":
                metadata = part.metadata
            else:
                frames.append(self._frame(part.arrow_ipc))
        if metadata is None:
            raise self.peer.refused("a fetch ended before it said what it was")
        bars = bars_of(pl.concat(frames)).within(span)
        ours = range_digest(leaves(str(self.dataset), bars), pinned.calendar, RULE_VERSION) if len(bars) else ""
        if ours != metadata.dataset_fingerprint:
            raise self.differs(
                f"the fingerprint of the {len(bars)} bars that came is {ours or 'none'},"
                f" there it is {metadata.dataset_fingerprint or 'none'}"
            )
        return bars

    def _frame(self, body: bytes) -> pl.DataFrame:
        try:
            frame = pl.read_ipc_stream(io.BytesIO(body))
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise self.peer.refused(f"a batch cannot be read: {error}"[:500]) from error
        if frame.schema != SCHEMA:
            raise self.peer.refused("a batch has other columns than bars")
        return frame


@asynccontextmanager
async def remote_sources(settings: Settings, inventory: Inventory) -> AsyncIterator[dict[str, RemoteSource]]:
    """A source for each dataset of another seamless, by the name of its preset here, until the block ends.

    Raises as `peers`.
    """
    async with peers(settings.remotes) as found:
        yield {
            name: RemoteSource(found[remote], inventory.presets.named(name).dataset, inventory.store_id)
            for remote, one in settings.remotes.items()
            for name in (f"remote.{remote}.{key}" for key in one.feeds)
        }
