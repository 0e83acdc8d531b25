"""ArtifactService: manifests of sealed artifacts."""

import asyncio

from qmtl.core.errors import NotFound
from qmtl.core.paging import Page
from qmtl.core.roles import Role
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.rpc.auth.call import require_all_worlds
from qmtl.wire.paging import page_from_proto, page_of
from seamless.artifacts.inventory import Inventory
from seamless.artifacts.verification import damages
from seamless.artifacts.wire import artifact_to_proto
from seamless.storage import compaction
from seamless.storage.storage import Storage

PAGE_SIZE = 50
DAMAGES_MAX = 100


class ArtifactServicer(artifactrpc.ArtifactServiceServicer):
    """Reads manifests; sealing is ingest's and the sessions' work."""

    def __init__(self, inventory: Inventory, storage: Storage) -> None:
        self._inventory = inventory
        self._storage = storage

    async def VerifyDataset(
        self, request: artifactservicepb.VerifyDatasetRequest, context: object
    ) -> artifactservicepb.VerifyDatasetResponse:
        require_all_worlds(Role.OPERATOR)
        preset = self._inventory.presets.serving(request.dataset)
        stored = await compaction.damages(self._storage, preset.dataset)
        reply = artifactservicepb.VerifyDatasetResponse(stored_files=len(await self._storage.parts(preset.dataset)))
        found = list(stored)
        page: Page[tuple[int, str]] = Page(PAGE_SIZE, None)
        while manifests := await self._inventory.artifacts(preset, page):
            for manifest in manifests[:PAGE_SIZE]:
                found += await asyncio.to_thread(damages, self._inventory.archive, manifest)
            reply.artifacts += len(manifests[:PAGE_SIZE])
            if len(manifests) <= PAGE_SIZE or len(found) >= DAMAGES_MAX:
                break
            page = Page(PAGE_SIZE, (manifests[PAGE_SIZE - 1].as_of_ns, manifests[PAGE_SIZE - 1].fingerprint))
        reply.damages.extend(dict.fromkeys(found[:DAMAGES_MAX]))
        return reply

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
