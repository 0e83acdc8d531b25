"""CoverageService: what is there of a dataset and what is missing."""

from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from seamless.artifacts.inventory import Inventory
from seamless.coverage.answers import CoverageAnswers
from seamless.wire import range_from_proto


class CoverageServicer(coveragerpc.CoverageServiceServicer):
    """Answers from the newest sealed artifact of each dataset."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._answers = CoverageAnswers()

    async def GetCoverage(
        self, request: coverageservicepb.GetCoverageRequest, context: object
    ) -> coverageservicepb.GetCoverageResponse:
        preset = self._inventory.presets.serving(request.dataset)
        wanted = range_from_proto(request.range, "range")
        manifest = await self._inventory.seen_at(preset, None)
        return self._answers.answer(preset, manifest, wanted.over(manifest.span, preset.dataset.interval_ns))
