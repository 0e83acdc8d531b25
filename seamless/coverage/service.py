"""CoverageService: what is there of a dataset and what is missing."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from qmtl.calendars.spans import Span
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import refused
from qmtl.core.paging import Page
from qmtl.core.roles import Role
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from qmtl.rpc.auth.call import require_all_worlds
from qmtl.wire.paging import page_from_proto, page_of, page_token_refused
from seamless.artifacts.inventory import Inventory
from seamless.backfill.filling import Filling
from seamless.coverage.answers import CoverageAnswers, State
from seamless.coverage.wire import filled_to_proto
from seamless.presets.preset import Preset
from seamless.storage.storage import Storage
from seamless.wire import range_from_proto


class CoverageServicer(coveragerpc.CoverageServiceServicer):
    """Answers from what is sealed and stored; further pages from what the first was of."""

    def __init__(self, inventory: Inventory, storage: Storage, filling: Filling) -> None:
        self._inventory = inventory
        self._storage = storage
        self._filling = filling
        self._answers = CoverageAnswers()

    async def GetCoverage(
        self, request: coverageservicepb.GetCoverageRequest, context: object
    ) -> coverageservicepb.GetCoverageResponse:
        preset = self._inventory.presets.serving(request.dataset)
        wanted = range_from_proto(request.range, "range")
        page = page_from_proto(request, (int, str))
        state = await self._state(preset)
        if page.after is not None and page.after[1] != state.name:
            state = await self._earlier(preset, state, page.after[1], request.page.page_token)
        whole = self._answers.answer(preset, state, state.span(wanted, preset.dataset.interval_ns))
        reply = _page(whole, page, state.name)
        report = await self._inventory.report(preset)
        reply.bars_held_back = 0 if report is None else report.bars_held_back
        return reply

    async def _state(self, preset: Preset) -> State:
        """What is sealed and stored now. Raises as `Inventory.seen_at` where there is neither."""
        stored = await self._storage.coverage(preset.dataset)
        if not stored.have:
            return State(await self._inventory.seen_at(preset, None), stored)
        return State(await self._inventory.newest(preset), stored)

    async def _earlier(self, preset: Preset, now: State, name: str, token: str) -> State:
        """The state that an earlier page was of, as long as nothing was stored since."""
        fingerprint, _, version = name.rpartition("@")
        found = await self._inventory.artifact(fingerprint) if fingerprint else None
        gone = found is None if fingerprint else now.stored.have == ()
        if gone or version != str(now.stored.version) or (found and found.dataset != str(preset.dataset)):
            raise page_token_refused(token)
        return State(found, now.stored)

    async def EnsureCoverage(
        self, request: coverageservicepb.EnsureCoverageRequest, context: object
    ) -> AsyncIterator[coverageservicepb.EnsureCoverageResponse]:
        require_all_worlds(Role.OPERATOR)
        preset = self._inventory.presets.serving(request.dataset)
        asked = range_from_proto(request.range, "range")
        if asked.start_ns is None or asked.end_ns is None:
            raise refused("E_RANGE", "range", "open on a side", "bounded on both sides")
        step = preset.dataset.interval_ns
        span = asked.over(Span(asked.start_ns, asked.end_ns), step)
        async with aclosing(self._filling.fill(preset, span)) as told:
            async for filled in told:
                yield filled_to_proto(filled)


def _page(
    whole: coverageservicepb.GetCoverageResponse, page: Page[tuple[int, str]], state: str
) -> coverageservicepb.GetCoverageResponse:
    """A page of an answer's spans, then of its gaps, with its ratios; the token is a place among both, and of what."""
    rows: list[tuple[int, commonpb.TimeRange | coveragepb.Gap]] = list(enumerate([*whole.spans, *whole.gaps]))
    first = 0 if page.after is None else max(0, page.after[0] + 1)
    shown, info = page_of(rows[first : first + page.size + 1], page, lambda row: (row[0], state), lambda row: row[1])
    return coverageservicepb.GetCoverageResponse(
        spans=[row for row in shown if isinstance(row, commonpb.TimeRange)],
        gaps=[row for row in shown if isinstance(row, coveragepb.Gap)],
        data_ratio=whole.data_ratio,
        resolved_ratio=whole.resolved_ratio,
        page=info,
    )
