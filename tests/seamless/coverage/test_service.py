"""Coverage over the wire."""

from __future__ import annotations

from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from tests.seamless.asking import (
    DEMO,
)
from tests.seamless.serving import Stubs


async def test_coverage_names_spans_and_gaps(stub: Stubs) -> None:
    reply = await stub.coverage.GetCoverage(coverageservicepb.GetCoverageRequest(dataset=DEMO))
    assert (len(reply.spans), len(reply.gaps)) == (10, 9)
    assert reply.data_ratio == reply.resolved_ratio == 8684 / 8927
