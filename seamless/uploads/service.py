"""FileService: files of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from qmtl.calendars.spans import Span
from qmtl.core.roles import Role
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import file_service_pb2 as fileservicepb
from qmtl.data.v1 import file_service_pb2_grpc as filerpc
from qmtl.data.v1 import files_pb2 as filespb
from qmtl.rpc.auth.call import require_all_worlds, require_stated, require_user
from qmtl.rpc.chunks import gathered
from seamless.artifacts.inventory import Inventory
from seamless.artifacts.wire import artifact_to_proto
from seamless.catalogue.wire import preset_to_proto
from seamless.conformance.wire import report_to_proto
from seamless.domain.manifests import Manifest
from seamless.uploads.uploads import Uploads, require_addition
from seamless.uploads.wire import layout_to_proto
from seamless.wire import bars_to_proto

FIRST_BARS = 5


class FileServicer(filerpc.FileServiceServicer):
    """Takes files and answers with what was found in them."""

    def __init__(self, inventory: Inventory, uploads: Uploads) -> None:
        self._inventory = inventory
        self._uploads = uploads

    async def AddFile(
        self, request_iterator: AsyncIterator[fileservicepb.AddFileRequest], context: object
    ) -> fileservicepb.AddFileResponse:
        require_all_worlds(Role.OPERATOR)
        addition = await gathered(request_iterator, require_stated(), filespb.FileAddition)
        require_addition(addition)
        added = await self._uploads.add(addition, require_user().subject)
        reply = fileservicepb.AddFileResponse(
            layout=layout_to_proto(added.layout),
            report=report_to_proto(added.outcome.report),
            refusal=added.outcome.refusal,
        )
        if added.outcome.manifest is not None:
            status = self._inventory.status(added.preset)
            reply.preset.CopyFrom(preset_to_proto(added.preset, status, self._inventory.store_id))
            reply.artifact.CopyFrom(artifact_to_proto(added.outcome.manifest))
            reply.first_bars.extend(await self._first_bars(added.outcome.manifest, added.preset.dataset.interval_ns))
        return reply

    async def _first_bars(self, manifest: Manifest, interval_ns: int) -> list[barspb.Bar]:
        first = manifest.coverage[0].start_ns
        month = Span(first, min(manifest.span.end_ns, first + 31 * 86_400 * 1_000_000_000))
        bars = await asyncio.to_thread(self._inventory.archive.bars, manifest, month)
        shown = bars.take(slice(0, FIRST_BARS))
        return bars_to_proto(shown, [interval_ns] * len(shown), [""] * len(shown))
