"""Another seamless as it is called: by its own address or that of its gateway, with a token of its mesh.

Its errors are no errors of the caller's: what it refuses and whether it can be reached is said by its name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from qmtl.core.errors import DeadlineExceeded, Exhausted, NotReady, QmtlError, Unavailable
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.data.v1 import artifacts_pb2 as artifactspb
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.rpc.auth.call import own_act
from qmtl.rpc.auth.tokens import file_token
from qmtl.rpc.client.channel import MeshChannel, connect
from seamless.config import RemoteSettings

CALL_S = 30.0  # of one call; a fetch is of at most a month
PAGE_SIZE = 1_000


@asynccontextmanager
async def peers(remotes: Mapping[str, RemoteSettings]) -> AsyncIterator[dict[str, Peer]]:
    """A peer for each of the settings, by its name, until the block ends; each connects when it is first called.

    Raises InvalidRequest (E_TLS_REQUIRED, E_CONFIG).
    """
    async with AsyncExitStack() as stack:
        found = {}
        for name, settings in remotes.items():
            channel = connect(
                settings.address,
                user_token=None if settings.token is None else file_token(settings.token),
                service_token=None if settings.service_token is None else file_token(settings.service_token),
                ca=settings.ca,
                client_pair=None if settings.cert is None or settings.key is None else (settings.cert, settings.key),
                default_timeout_s=CALL_S,
                peer="seamless",
            )
            found[name] = Peer(name, settings.address, await stack.enter_async_context(channel))
        yield found


class Peer:
    """Another seamless. Every call raises Unavailable (E_REMOTE_UNREACHABLE) or NotReady (E_REMOTE_REFUSED)."""

    def __init__(self, name: str, address: str, channel: MeshChannel) -> None:
        self.name = name
        self.address = address
        self._catalogue = cataloguerpc.CatalogueServiceStub(channel)
        self._artifacts = artifactrpc.ArtifactServiceStub(channel)
        self._coverage = coveragerpc.CoverageServiceStub(channel)
        self._data = datarpc.DataServiceStub(channel)

    async def preset(self, dataset: str) -> datasetspb.Preset:
        """Its preset of a dataset, that can be used there."""
        request = catalogueservicepb.ListPresetsRequest()
        why = f"it has no dataset {dataset}"
        while True:
            with self._asking():
                reply = await self._catalogue.ListPresets(request)
            for found in reply.presets:
                if found.dataset == dataset and found.available:
                    return found
                if found.dataset == dataset:
                    why = f"{found.name} is not available there: {found.message}"
            if not reply.page.next_page_token:
                raise self.refused(why)
            request.page.page_token = reply.page.next_page_token

    async def newest(self, dataset: str) -> artifactspb.Artifact:
        """The newest artifact of a dataset."""
        request = artifactservicepb.ListArtifactsRequest(dataset=dataset)
        request.page.page_size = 1
        with self._asking():
            reply = await self._artifacts.ListArtifacts(request)
        if not reply.artifacts:
            raise self.refused(f"it has sealed nothing of {dataset}")
        return reply.artifacts[0]

    async def gaps(self, request: coverageservicepb.GetCoverageRequest) -> list[coveragepb.Gap]:
        """The gaps of a range."""
        found: list[coveragepb.Gap] = []
        request.page.page_size = PAGE_SIZE
        while True:
            with self._asking():
                reply = await self._coverage.GetCoverage(request)
            found += reply.gaps
            if not reply.page.next_page_token:
                return found
            request.page.page_token = reply.page.next_page_token

    async def fetch(self, request: dataservicepb.FetchRequest) -> AsyncIterator[dataservicepb.FetchResponse]:
        """The parts of a fetch."""
        with self._asking():
            call = self._data.Fetch(request, timeout=CALL_S)
        try:
            while True:
                with self._asking():
                    part = await anext(aiter(call), None)
                if part is None:
                    return
                yield part
        finally:
            call.cancel()

    def refused(self, why: str) -> NotReady:
        """It was asked, and what it says cannot be used."""
        return NotReady("E_REMOTE_REFUSED", f"{self}: {why}", metadata={"remote": self.name})

    def __str__(self) -> str:
        return f"seamless {self.name} at {self.address}"

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """A call of this service's own: whoever it works for here is nobody there, and has no deadline there."""
        try:
            with own_act():
                yield
        except (Unavailable, DeadlineExceeded, Exhausted) as error:
            text = f"{self} does not answer: {error.message}"
            told = {"remote": self.name, "cause": error.reason}
            raise Unavailable("E_REMOTE_UNREACHABLE", text, metadata=told, retry_after_s=error.retry_after_s) from error
        except QmtlError as error:
            raise self.refused(f"it refused {error}") from error
