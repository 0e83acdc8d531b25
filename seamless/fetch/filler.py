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
        self._going: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Hold what goes on meanwhile until cancelled, then end it: what came by then is stored."""
        try:
            await asyncio.Event().wait()
        finally:
            await end(*self._going.values())

    async def fill(self, preset: Preset, span: Span) -> None:
        """Fetch what is missing of a range, and seal what is stored. Raises as `Filling.fill`."""
        async with aclosing(self._filling.fill(preset, span)) as told:
            async for _ in told:
                pass

    def meanwhile(self, preset: Preset, span: Span) -> None:
        """The same, beside the answer; one that goes on already is not joined by another.

        Raises NotReady (E_DATASET_UNAVAILABLE) where nothing fetches the preset.
        """
        self._filling.require(preset)
        going = self._going.get(preset.name)
        if going is None or going.done():
            with own_act():
                self._going[preset.name] = asyncio.create_task(self._fill_aside(preset, span))

    async def _fill_aside(self, preset: Preset, span: Span) -> None:
        try:
            await self.fill(preset, span)
        except QmtlError as error:
            log.warning("not_filled_meanwhile", preset=preset.name, reason=error.reason, error=error.message)
