"""What is stored of another seamless's dataset is brought to agree with what that one has sealed now, or it is refused.

Months are compared by their hashes: one that was revised there since is fetched again, and no other.
"""

from __future__ import annotations

import asyncio

from qmtl.calendars.spans import Span, bars, intersect, subtract
from qmtl.exchanges.budgets import Purpose
from seamless.backfill.backfiller import keep
from seamless.domain.bars import coverage_of
from seamless.domain.fingerprints import leaf_digest, month_span
from seamless.domain.manifests import Manifest
from seamless.remotes.source import Pinned, RemoteSource
from seamless.storage.storage import Storage

NOTHING_YOUNG = Span(0, 0)  # what is sealed there is settled


async def agree(source: RemoteSource, storage: Storage, newest: Manifest | None) -> str:
    """The fingerprint that all that is stored must have, where the other's whole artifact is here; else empty.

    Raises NotReady (E_REMOTE_DIFFERS) for bars that the other does not have, what the source raises.
    """
    pinned = await source.pinned()
    step = source.dataset.interval_ns
    have = (await storage.coverage(source.dataset)).have
    if strange := subtract(have, (pinned.span,)):
        raise source.differs(f"{bars(strange, step)} bars are here and outside of the newest artifact there")
    sealed = {} if newest is None else {leaf.month: leaf.digest for leaf in newest.leaves}
    for month, digest in zip(pinned.artifact.months, pinned.artifact.leaves, strict=True):
        if sealed.get(month) != digest and (ours := intersect(have, (month_span(month),))):
            whole = Span(ours[0].start_ns, ours[-1].end_ns)
            rows = await storage.read(source.dataset, whole)
            if await asyncio.to_thread(leaf_digest, str(source.dataset), month, rows) != digest:
                await _fetch_again(source, storage, whole)
    return _whole(pinned, (await storage.coverage(source.dataset)).have)


def _whole(pinned: Pinned, have: tuple[Span, ...]) -> str:
    here = Span(have[0].start_ns, have[-1].end_ns) if have else NOTHING_YOUNG
    return pinned.artifact.dataset_fingerprint if here == pinned.span else ""


async def _fetch_again(source: RemoteSource, storage: Storage, span: Span) -> None:
    """Raises NotReady (E_REMOTE_DIFFERS) where bars are here that the other has no more."""
    answer = await source.fetch(span, Purpose.HISTORY)
    have = intersect((await storage.coverage(source.dataset)).have, (span,))
    step = source.dataset.interval_ns
    if gone := subtract(have, coverage_of(answer.bars.time_ns, step)):
        raise source.differs(f"{bars(gone, step)} bars of {source.dataset} are here and not there")
    await keep(storage, source, answer, NOTHING_YOUNG)
