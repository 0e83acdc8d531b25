"""Missing bars of a fetch, fetched from the exchange: before it is answered, or meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import structlog

from qmtl.calendars.spans import Span
from qmtl.core.errors import QmtlError
from qmtl.core.tasks.ending import end
from qmtl.rpc.auth.call import own_act
from seamless.backfill.filling import Filling
from seamless.presets.preset import Preset

log = structlog.stdlib.get_logger("qmtl.seamless.fetch")


class Filler:
    """Fills for fetches; of one preset at most one goes on meanwhile."""

    def __init__(self, filling: Filling) -> None:
        self._filling = filling
        self._going: dict[str, tuple[Span, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Hold what goes on meanwhile until cancelled, then end it: what came by then is stored."""
        try:
            await asyncio.Event().wait()
        finally:
            await end(*(task for _, task in self._going.values()))

    async def fill(self, preset: Preset, span: Span) -> None:
        """Fetch what is missing of a range, and seal what is stored. Raises as `Filling.fill`."""
        async with aclosing(self._filling.fill(preset, span)) as told:
            async for _ in told:
                pass

    def meanwhile(self, preset: Preset, span: Span) -> bool:
        """The same, beside the answer; False if another range of the preset is being fetched, and this one is not.

        Raises NotReady (E_DATASET_UNAVAILABLE) where nothing fetches the preset.
        """
        self._filling.require(preset)
        going = self._going.get(preset.name)
        if going is not None and not going[1].done():
            return going[0].start_ns <= span.start_ns and span.end_ns <= going[0].end_ns
        with own_act():
            self._going[preset.name] = span, asyncio.create_task(self._fill_aside(preset, span))
        return True

    async def _fill_aside(self, preset: Preset, span: Span) -> None:
        try:
            await self.fill(preset, span)
        except QmtlError as error:
            log.warning("not_filled_meanwhile", preset=preset.name, reason=error.reason, error=error.message)
