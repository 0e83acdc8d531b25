"""What the mesh says of its sample data, once it has it."""

from __future__ import annotations

import asyncio

from qmtl.core.errors import DeadlineExceeded, Unavailable
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.sdk.mesh.client import Client

INGEST_S = 60.0


async def conformance_report(client: Client, preset: str) -> conformancepb.ConformanceReport:
    """The report of a preset, once its sample is ingested; TimeoutError after INGEST_S."""
    request = catalogueservicepb.GetConformanceReportRequest(dataset=preset)
    async with asyncio.timeout(INGEST_S):
        while True:
            try:
                return (await client.catalogue.GetConformanceReport(request)).report
            except (Unavailable, DeadlineExceeded) as error:
                await asyncio.sleep(error.retry_after_s or 0.2)


def rule_word(finding: conformancepb.ConformanceFinding) -> str:
    """The name of the rule that found something."""
    return conformancepb.ConformanceRule.Name(finding.rule).removeprefix("CONFORMANCE_RULE_").lower()
