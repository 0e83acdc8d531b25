"""What a strategy's runs of one stage and version come to: covered data time, and which run is the newest."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from worldservice.evaluation.domain.runs import Evidence
from worldservice.worlds.domain.binding import Stage

SPANS_MAX = 200
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Covered:
    """Data from `start` to `end` of which the share `coverage` was there, 0 to 1."""

    start: datetime
    end: datetime
    coverage: float = 1.0


@dataclass(frozen=True, slots=True)
class RunSpan:
    """A computed run, at which row it stands, and the data it covers; None: it did not say."""

    run_id: str
    sequence: int
    covered: Covered | None


@dataclass(frozen=True, slots=True)
class StageRecord:
    """All runs of one stage and version. `spans` are the computed ones, newest first, 200 at most.

    `data_end` is where the data of any of them ends, of claims too.
    """

    stage: Stage
    version: str
    spans: tuple[RunSpan, ...] = ()
    data_end: datetime | None = None

    @property
    def newest(self) -> int:
        """The row of the newest computed run; 0: there is none."""
        return self.spans[0].sequence if self.spans else 0

    def observed(self) -> timedelta:
        """Covered data time of the computed runs."""
        return covered_time([span.covered for span in self.spans if span.covered is not None])


def with_run(records: Sequence[StageRecord], evidence: Evidence, sequence: int) -> list[StageRecord]:
    """The records of a strategy's stage that one more revision of a run changes; its earlier ones count no more."""
    run_id, version = evidence.run_id, evidence.strategy_version
    before = [*records]
    if all(one.version != version for one in before):
        before.append(StageRecord(evidence.stage, version))
    changed = []
    for one in before:
        spans = tuple(span for span in one.spans if span.run_id != run_id)
        after = replace(one, spans=spans) if len(spans) < len(one.spans) else one
        if one.version == version:
            after = _with_own(after, evidence, sequence)
        if after != one or one not in records:
            changed.append(after)
    return changed


def _with_own(record: StageRecord, evidence: Evidence, sequence: int) -> StageRecord:
    ends = [end for end in (record.data_end, evidence.data_end) if end is not None]
    spans = record.spans
    if evidence.replayed:
        known = evidence.data_start is not None and evidence.data_end is not None
        covered = Covered(evidence.data_start, evidence.data_end, evidence.coverage) if known else None  # type: ignore[arg-type]  # known
        spans = (RunSpan(evidence.run_id, sequence, covered), *spans)[:SPANS_MAX]
    return replace(record, spans=spans, data_end=max(ends, default=None))


def covered_time(runs: Sequence[Covered]) -> timedelta:
    """The union of the runs' intervals times the coverage of each, of overlapping ones the highest."""
    waiting = sorted((run for run in runs if run.end > run.start), key=lambda run: run.start, reverse=True)
    bounds = sorted({edge for run in waiting for edge in (run.start, run.end)})
    micros, open_ones = Fraction(0), list[tuple[float, datetime]]()
    for start, end in pairwise(bounds):
        while waiting and waiting[-1].start <= start:
            run = waiting.pop()
            heapq.heappush(open_ones, (-min(max(run.coverage, 0.0), 1.0), run.end))
        while open_ones and open_ones[0][1] <= start:
            heapq.heappop(open_ones)
        if open_ones:
            micros += ((end - start) // MICROSECOND) * Fraction(-open_ones[0][0])
    return timedelta(microseconds=int(micros))
