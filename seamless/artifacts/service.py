"""ArtifactService: manifests of sealed artifacts."""

from qmtl.core.errors import NotFound
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.wire.paging import page_from_proto, page_of
from seamless.artifacts.inventory import Inventory
from seamless.artifacts.wire import artifact_to_proto


class ArtifactServicer(artifactrpc.ArtifactServiceServicer):
    """Reads manifests; sealing is ingest's and the sessions' work."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    async def GetArtifact(
        self, request: artifactservicepb.GetArtifactRequest, context: object
    ) -> artifactservicepb.GetArtifactResponse:
        manifest = await self._inventory.artifact(request.dataset_fingerprint)
        if manifest is None:
            raise NotFound("E_ARTIFACT_UNKNOWN", f"no artifact {request.dataset_fingerprint!r}")
        return artifactservicepb.GetArtifactResponse(artifact=artifact_to_proto(manifest))

    async def ListArtifacts(
        self, request: artifactservicepb.ListArtifactsRequest, context: object
    ) -> artifactservicepb.ListArtifactsResponse:
        preset = self._inventory.presets.serving(request.dataset)
        page = page_from_proto(request, (int, str))
        found = await self._inventory.artifacts(preset, page)
        artifacts, more = page_of(
            found, page, lambda manifest: (manifest.as_of_ns, manifest.fingerprint), artifact_to_proto
        )
        return artifactservicepb.ListArtifactsResponse(artifacts=artifacts, page=more)
