"""Coverage over the wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotReady, PermissionDenied
from qmtl.core.roles import Role
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.wire.paging import page_from_proto, token_of
from tests.seamless.asking import DEMO
from tests.seamless.serving import Stubs, running


async def test_coverage_names_spans_and_gaps(stub: Stubs) -> None:
    reply = await stub.coverage.GetCoverage(coverageservicepb.GetCoverageRequest(dataset=DEMO))
    assert (len(reply.spans), len(reply.gaps)) == (10, 9)
    assert reply.data_ratio == reply.resolved_ratio == 8684 / 8927


async def test_coverage_is_read_page_by_page(stub: Stubs) -> None:
    whole = await stub.coverage.GetCoverage(coverageservicepb.GetCoverageRequest(dataset=DEMO))
    asked = coverageservicepb.GetCoverageRequest(dataset=DEMO, page=commonpb.PageRequest(page_size=7))
    found = coverageservicepb.GetCoverageResponse()
    sizes: list[tuple[int, int]] = []
    while asked.page.page_token or not sizes:
        reply = await stub.coverage.GetCoverage(asked)
        assert reply.data_ratio == whole.data_ratio
        sizes.append((len(reply.spans), len(reply.gaps)))
        found.spans.extend(reply.spans)
        found.gaps.extend(reply.gaps)
        asked.page.page_token = reply.page.next_page_token
    assert sizes == [(7, 0), (3, 4), (0, 5)]
    assert (found.spans, found.gaps) == (whole.spans, whole.gaps)


async def test_the_pages_of_coverage_are_of_one_artifact(stub: Stubs) -> None:
    """Places among the spans of a newer artifact are others: a page goes on in the artifact that the first was of."""
    asked = coverageservicepb.GetCoverageRequest(dataset=DEMO, page=commonpb.PageRequest(page_size=7))
    reply = await stub.coverage.GetCoverage(asked)
    asked.page.page_token = reply.page.next_page_token
    page = page_from_proto(asked, (int, str))
    found = await stub.artifacts.ListArtifacts(artifactservicepb.ListArtifactsRequest(dataset=DEMO))
    assert page.after == (6, f"{found.artifacts[0].dataset_fingerprint}@0")
    for other in ("blake3:00@0", "@0", f"{found.artifacts[0].dataset_fingerprint}@1", "x"):
        asked.page.page_token = token_of(page, (6, other))
        with pytest.raises(InvalidRequest, match="E_PAGE_TOKEN"):
            await stub.coverage.GetCoverage(asked)


async def test_ensuring_needs_an_operator_of_all_worlds_and_a_source(tmp_path: Path) -> None:
    asked = coverageservicepb.EnsureCoverageRequest(dataset=DEMO)
    asked.range.start.FromSeconds(1_633_046_400)
    asked.range.end.FromSeconds(1_633_132_800)
    async with running(tmp_path) as seamless:
        for stub in (await seamless.stubs(Role.READER), await seamless.stubs(Role.OPERATOR, ["w1"])):
            with pytest.raises(PermissionDenied):
                [reply async for reply in stub.coverage.EnsureCoverage(asked)]
        operator = await seamless.stubs()
        with pytest.raises(NotReady, match="E_DATASET_UNAVAILABLE"):
            [reply async for reply in operator.coverage.EnsureCoverage(asked)]
        asked.ClearField("range")
        with pytest.raises(InvalidRequest, match="E_RANGE"):
            [reply async for reply in operator.coverage.EnsureCoverage(asked)]
