"""Features over the wire: domain by domain what may be published and what is seen, and that nothing ever changes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Conflict, DataLoss, Exhausted, InvalidRequest, NotReady, PermissionDenied
from qmtl.core.roles import Role
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import feature_service_pb2 as featureservicepb
from qmtl.data.v1 import features_pb2 as featurespb
from qmtl.data.v1 import row_schemas_pb2 as rowschemaspb
from qmtl.data.v1 import schema_service_pb2 as schemaservicepb
from qmtl.rpc.chunks import Chunked
from qmtl.wire.instants import ns_from_proto, ns_to_proto
from tests.seamless.serving import Seamless, Stubs, running
from tests.seamless.uploads.test_service import HOURS, add

BACKTEST, DRYRUN = commonpb.EXECUTION_DOMAIN_BACKTEST, commonpb.EXECUTION_DOMAIN_DRYRUN
LIVE, SHADOW = commonpb.EXECUTION_DOMAIN_LIVE, commonpb.EXECUTION_DOMAIN_SHADOW
HOUR_NS = 3_600_000_000_000
FIRST_NS = 1_704_067_200_000_000_000  # open of the first of HOURS


@dataclass(frozen=True)
class Data:
    """Two artifacts of one dataset: the first 24 hours, then all 48; each its fingerprint and as_of."""

    stub: Stubs
    old: str
    old_ns: int
    new: str
    new_ns: int


async def data_of(seamless: Seamless) -> Data:
    stub = await seamless.stubs()
    for lines in (25, 49):
        await add(stub, "\n".join(HOURS.splitlines()[:lines]), final=True)
    request = artifactservicepb.ListArtifactsRequest(dataset="file.ohlcv.mine")
    new, old = (await stub.artifacts.ListArtifacts(request)).artifacts
    times = [ns_from_proto(one.as_of, "as_of") for one in (old, new)]
    return Data(stub, old.dataset_fingerprint, times[0], new.dataset_fingerprint, times[1])


def key(fingerprint: str = "", factor: str = "momentum", **params: float) -> featurespb.FeatureKey:
    made = featurespb.FeatureKey(factor=factor, instrument="X", dataset_fingerprint=fingerprint)
    made.interval.FromSeconds(3600)
    made.params.update(params)
    return made


def context(domain: commonpb.ExecutionDomain, as_of_ns: int | None, world: str = "w1") -> commonpb.ComputeContext:
    as_of = ns_to_proto(as_of_ns) if as_of_ns is not None else None
    return commonpb.ComputeContext(world_id=world, execution_domain=domain, as_of=as_of)


def arrow(values: dict[int, float], name: str = "value") -> bytes:
    """Values by the hour that makes them known."""
    times = [FIRST_NS + hour * HOUR_NS for hour in values]
    frame = pl.DataFrame({"time_ns": times, name: list(values.values())}, {"time_ns": pl.Int64, name: pl.Float64})
    return frame.write_ipc_stream(None).getvalue()


def spoil(home: Path, fingerprint: str) -> None:
    """Change the last byte of a feature's file."""
    [file] = home.rglob(f"{fingerprint.removeprefix('sha256:')}.parquet")
    file.write_bytes(file.read_bytes()[:-1] + b"x")


async def publish(
    stub: Stubs,
    of: featurespb.FeatureKey,
    where: commonpb.ComputeContext,
    body: bytes | None = None,
    schema: str = "",
) -> featureservicepb.PublishFeatureResponse:
    rows = arrow({1: 0.5, 2: 0.25}) if body is None else body
    asked = featurespb.FeaturePublication(
        context=where, key=of, arrow_ipc=rows, schema=schema, artifact_fingerprint=of.dataset_fingerprint
    )
    return await stub.features.PublishFeature(Chunked(featureservicepb.PublishFeatureRequest, asked, [where.world_id]))


async def read(
    stub: Stubs, of: featurespb.FeatureKey, where: commonpb.ComputeContext
) -> tuple[list[float], featurespb.Feature]:
    request = featureservicepb.ReadFeatureRequest(context=where, key=of)
    parts = [part async for part in stub.features.ReadFeature(request)]
    frames = [pl.read_ipc_stream(io.BytesIO(part.arrow_ipc)) for part in parts[:-1]]
    return pl.concat(frames)["value"].to_list(), parts[-1].feature


async def test_each_domain_writes_and_sees_what_it_may(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as seamless:
        data = await data_of(seamless)
        stub = data.stub
        for domain in (LIVE, SHADOW):
            with pytest.raises(NotReady, match="E_FEATURE_READ_ONLY"):
                await publish(stub, key(data.old), context(domain, data.new_ns))
        for domain in (BACKTEST, DRYRUN):
            with pytest.raises(InvalidRequest, match="E_AS_OF_REQUIRED"):
                await publish(stub, key(data.old), context(domain, None))
            with pytest.raises(NotReady, match="E_ARTIFACT_MISSING"):
                await publish(stub, key(data.new), context(domain, data.old_ns))
        await publish(stub, key(data.old), context(BACKTEST, data.old_ns), arrow({1: 1.0}))
        await publish(stub, key(data.new), context(DRYRUN, data.new_ns), arrow({1: 2.0, 48: 3.0}))

        async def seen(domain: commonpb.ExecutionDomain, as_of_ns: int | None, of: str = "") -> list[float] | str:
            try:
                return (await read(stub, key(of), context(domain, as_of_ns)))[0]
            except (NotReady, InvalidRequest) as error:
                return error.reason

        older, newer, missing = [1.0], [2.0, 3.0], "E_FEATURE_MISSING"
        for domain in (BACKTEST, DRYRUN, LIVE, SHADOW):
            assert await seen(domain, data.old_ns - 1) == missing
            assert await seen(domain, data.old_ns) == older
            assert await seen(domain, data.new_ns - 1) == older
            assert await seen(domain, data.new_ns) == newer
            assert await seen(domain, data.new_ns, data.old) == older
            assert await seen(domain, data.old_ns, data.new) == missing
        for domain in (BACKTEST, DRYRUN):
            assert await seen(domain, None) == "E_AS_OF_REQUIRED"
        for domain in (LIVE, SHADOW):
            assert await seen(domain, None) == newer
            assert await seen(domain, None, data.old) == older


async def test_a_feature_is_of_its_world_its_params_and_its_rows_for_ever(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as seamless:
        data = await data_of(seamless)
        stub, where = data.stub, context(BACKTEST, data.old_ns)
        first = (await publish(stub, key(data.old, n=20), where)).feature
        assert (first.rows, list(first.columns), first.published_by) == (2, ["value"], "alice")
        assert ns_from_proto(first.as_of, "as_of") == data.old_ns
        assert first.key == key(data.old, n=20)
        assert (await publish(stub, key(data.old, n=20), where)).feature == first, "the same rows change nothing"
        with pytest.raises(Conflict, match="E_FEATURE_CONFLICT"):
            await publish(stub, key(data.old, n=20), where, arrow({1: 0.5, 2: 0.75}))
        other = (await publish(stub, key(data.old, n=21), where)).feature
        assert other.fingerprint != first.fingerprint
        assert (await read(stub, key(n=20), where)) == ([0.5, 0.25], first)
        with pytest.raises(NotReady, match="E_FEATURE_MISSING"):
            await read(stub, key(n=20), context(BACKTEST, data.old_ns, "w2"))
    async with running(tmp_path, ingest=False) as seamless:
        stub = await seamless.stubs()
        assert (await read(stub, key(n=20), where)) == ([0.5, 0.25], first)
        listed = await stub.features.ListFeatures(featureservicepb.ListFeaturesRequest(world_id="w1"))
        assert {one.fingerprint for one in listed.features} == {first.fingerprint, other.fingerprint}
        spoil(tmp_path, first.fingerprint)
        with pytest.raises(DataLoss, match="E_STORED_FILE"):
            await read(stub, key(n=20), where)


async def test_a_listing_goes_on_after_a_key_of_any_length(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as seamless:
        data = await data_of(seamless)
        made = []
        for factor in ("a", "b", "c"):
            of = key(data.old, factor)
            of.params.update({"note": "\u200b" + "x" * 3000})
            made.append((await publish(data.stub, of, context(BACKTEST, data.old_ns))).feature)
        request = featureservicepb.ListFeaturesRequest(world_id="w1")
        request.page.page_size = 1
        found: list[featurespb.Feature] = []
        while len(found) < 4:
            reply = await data.stub.features.ListFeatures(request)
            found += reply.features
            request.page.page_token = reply.page.next_page_token
            if not request.page.page_token:
                break
        assert found == made


async def test_rows_that_cannot_be_a_feature_are_refused_by_name(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False, world_features_max=1) as seamless:
        data = await data_of(seamless)
        stub, where = data.stub, context(BACKTEST, data.old_ns)
        frame = pl.DataFrame({"time_ns": [FIRST_NS + HOUR_NS], "value": [1]})
        for body, wrong in (
            (b"not arrow", "arrow_ipc"),
            (arrow({2: 1.0, 1: 1.0}), r"time_ns\[1\]"),
            (arrow({1: 1.0, 2: float("nan")}), r"value\[1\]"),
            (arrow({-500_000: 1.0, 1: 1.0}), r"time_ns\[0\]"),
            (arrow({25: 1.0}), "the close of the newest bar of its data"),
            (arrow({1: 1.0}, "1st"), "columns"),
            (arrow({}), "rows"),
            (frame.write_ipc_stream(None).getvalue(), "float64"),
        ):
            with pytest.raises(InvalidRequest, match=f"E_FEATURE_ROWS.*{wrong}"):
                await publish(stub, key(data.old), where, body)
        await publish(stub, key(data.old), where, arrow({24: 1.0}))
        with pytest.raises(Exhausted, match="E_FEATURES_FULL"):
            await publish(stub, key(data.old, "other"), where)
        with pytest.raises(InvalidRequest, match="E_FIELD"):
            await publish(stub, key(data.old, "Upper"), where)
        with pytest.raises(PermissionDenied):
            await publish(await seamless.stubs(Role.READER, subject="bob"), key(data.old), where)
        with pytest.raises(PermissionDenied):
            await read(await seamless.stubs(Role.OPERATOR, ["w2"]), key(), where)


async def test_rows_are_compared_with_their_schema(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as seamless:
        data = await data_of(seamless)
        stub, where = data.stub, context(BACKTEST, data.old_ns)
        columns = [rowschemaspb.SchemaColumn(name="score", type=rowschemaspb.COLUMN_TYPE_FLOAT64, required=True)]
        await stub.schemas.RegisterSchema(schemaservicepb.RegisterSchemaRequest(name="scores", columns=columns))

        async def promote(stage: rowschemaspb.SchemaStage) -> None:
            asked = schemaservicepb.PromoteSchemaRequest(name="scores", version="1.0", stage=stage)
            await stub.schemas.PromoteSchema(asked)

        await promote(rowschemaspb.SCHEMA_STAGE_CANARY)
        told = await publish(stub, key(data.old), where, schema="scores")
        assert (list(told.canary_faults), told.feature.schema_version) == (["column score is missing"], "")
        await promote(rowschemaspb.SCHEMA_STAGE_STRICT)
        with pytest.raises(InvalidRequest, match=r"E_FEATURE_SCHEMA.*column score is missing"):
            await publish(stub, key(data.old, n=2), where, schema="scores")
        told = await publish(stub, key(data.old, n=3), where, arrow({1: 1.0}, "score"), schema="scores")
        assert (list(told.canary_faults), told.feature.schema_version) == ([], "scores 1.0")
        assert dict(told.feature.key.params) == {"n": 3}
