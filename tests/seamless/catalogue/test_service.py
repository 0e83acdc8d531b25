"""The catalogue over the wire: pages, presets, reports, bad tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from qmtl.cli.commands.data.datasets import served
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import (
    InvalidRequest,
    NotFound,
)
from qmtl.core.roles import Role
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.data.v1 import status_service_pb2 as datastatusservicepb
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from qmtl.rpc.client.channel import connect
from seamless.config import FileFeed
from tests.seamless.asking import (
    DATASET,
    DEMO,
    SEALED,
    refusal_of,
)
from tests.seamless.serving import Stubs, running


async def test_a_strict_file_with_gaps_is_refused_and_its_report_tells_why(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"2021-09-27 {h:02d}:00:00+00:00,1,1,1,1,1" for h in (0, 1, 2, 5, 6, 7)]
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    feed = FileFeed(path=path, symbol="X", interval="1h", volume_unit="quote")
    async with running(tmp_path, files={"mine": feed}) as server:
        stub = await server.stubs()
        error = await refusal_of(stub, dataservicepb.FetchRequest(dataset="file.ohlcv.mine"))
        assert error.reason == "E_DATASET_UNAVAILABLE"
        report = (
            await stub.catalogue.GetConformanceReport(
                catalogueservicepb.GetConformanceReportRequest(dataset="file.ohlcv.mine")
            )
        ).report
        refused = [f.rule for f in report.findings if f.action == conformancepb.CONFORMANCE_ACTION_REFUSED]
        assert refused == [conformancepb.CONFORMANCE_RULE_GAP]
        listed = (await stub.catalogue.ListPresets(catalogueservicepb.ListPresetsRequest())).presets
        [mine] = [preset for preset in listed if preset.name == "file.ohlcv.mine"]
        assert mine.volume_unit == barspb.VOLUME_UNIT_QUOTE
        user, peer = mint_user_token(tmp_path, Role.READER, "alice", None), mint_service_token(tmp_path, "gateway")
        address = f"127.0.0.1:{server.server.port}"
        async with connect(address, user_token=lambda: user, service_token=lambda: peer) as channel:
            assert await served("file.ohlcv.mine", channel) == ([], error.message), "its page has no map, and says why"


async def test_the_catalogue_lists_pages_artifacts_presets_and_status(stub: Stubs) -> None:
    first = await stub.catalogue.ListDatasets(
        catalogueservicepb.ListDatasetsRequest(page=commonpb.PageRequest(page_size=2))
    )
    second = await stub.catalogue.ListDatasets(
        catalogueservicepb.ListDatasetsRequest(page=commonpb.PageRequest(page_token=first.page.next_page_token))
    )
    datasets = {d.dataset: d for d in (*first.datasets, *second.datasets)}
    assert len(datasets) == len(first.datasets) + len(second.datasets) == 7
    assert second.page.next_page_token == ""
    demo = datasets[DATASET]
    assert (demo.state, demo.rows, demo.dataset_fingerprint) == (datasetspb.DATASET_STATE_READY, 8684, SEALED)
    [artifact] = (await stub.artifacts.ListArtifacts(artifactservicepb.ListArtifactsRequest(dataset=DEMO))).artifacts
    assert (artifact.dataset_fingerprint, len(artifact.leaves), artifact.as_of) == (SEALED, 4, demo.as_of)
    assert (
        await stub.artifacts.GetArtifact(artifactservicepb.GetArtifactRequest(dataset_fingerprint=SEALED))
    ).artifact == artifact
    presets = {p.name: p for p in (await stub.catalogue.ListPresets(catalogueservicepb.ListPresetsRequest())).presets}
    assert (presets[DEMO].available, presets[DEMO].replay, presets[DEMO].symbol) == (True, True, "BTC-USD")
    assert not presets["ohlcv.kraken.spot.1m"].available
    assert presets[DEMO].volume_unit == demo.volume_unit == barspb.VOLUME_UNIT_QUOTE  # dollars, by Yahoo Finance
    assert presets["ohlcv.kraken.spot.1m"].volume_unit == barspb.VOLUME_UNIT_BASE
    status = await stub.status.GetStatus(datastatusservicepb.GetStatusRequest())
    assert (status.status.service, status.status.degraded) == ("seamless", False)


async def test_bad_tokens_and_unknown_artifacts_are_refused(stub: Stubs) -> None:
    for token in ("%%%", "YWJj", "eAp5"):
        with pytest.raises(InvalidRequest) as caught:
            await stub.artifacts.ListArtifacts(
                artifactservicepb.ListArtifactsRequest(dataset=DEMO, page=commonpb.PageRequest(page_token=token))
            )
        assert caught.value.reason == "E_PAGE_TOKEN"
    with pytest.raises(NotFound) as missing:
        await stub.artifacts.GetArtifact(artifactservicepb.GetArtifactRequest(dataset_fingerprint="sha256:no"))
    assert missing.value.reason == "E_ARTIFACT_UNKNOWN"
