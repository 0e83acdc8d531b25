"""The schema registry over the wire: versions, promotions with their log, and what they do to files that come in."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from qmtl.core.errors import InvalidRequest, NotFound, PermissionDenied
from qmtl.core.roles import Role
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import file_service_pb2 as fileservicepb
from qmtl.data.v1 import files_pb2 as filespb
from qmtl.data.v1 import row_schemas_pb2 as rowschemaspb
from qmtl.data.v1 import schema_service_pb2 as schemaservicepb
from qmtl.rpc.chunks import Chunked
from tests.seamless.serving import Stubs, running

EXTRA = {"note": "x", "vwap": "1.2", "trades": "-12"}
CANARY, STRICT = rowschemaspb.SCHEMA_STAGE_CANARY, rowschemaspb.SCHEMA_STAGE_STRICT
RETIRED = rowschemaspb.SCHEMA_STAGE_RETIRED
FLOAT = rowschemaspb.COLUMN_TYPE_FLOAT64
BARS = [
    ("time", rowschemaspb.COLUMN_TYPE_TIMESTAMP),
    *((name, FLOAT) for name in ["open", "high", "low", "close", "volume"]),
]


async def register(
    stub: Stubs, name: str, *more: tuple[str, rowschemaspb.ColumnType], required: bool = True
) -> rowschemaspb.SchemaVersion:
    columns = [rowschemaspb.SchemaColumn(name=n, type=t, required=True) for n, t in (BARS if name == "ohlcv" else ())]
    columns += [rowschemaspb.SchemaColumn(name=n, type=t, required=required) for n, t in more]
    request = schemaservicepb.RegisterSchemaRequest(name=name, columns=columns)
    return (await stub.schemas.RegisterSchema(request)).schema


async def promote(
    stub: Stubs, version: str, stage: rowschemaspb.SchemaStage, name: str = "ohlcv"
) -> rowschemaspb.SchemaVersion:
    request = schemaservicepb.PromoteSchemaRequest(name=name, version=version, stage=stage, cause="by the test")
    return (await stub.schemas.PromoteSchema(request)).schema


async def history(stub: Stubs, name: str = "ohlcv") -> list[tuple[str, int, int, str, str]]:
    request = schemaservicepb.ListSchemaPromotionsRequest(name=name)
    found = (await stub.schemas.ListSchemaPromotions(request)).promotions
    return [(one.version, one.before, one.after, one.promoted_by, one.cause) for one in found]


async def add(stub: Stubs, extra: str = "") -> fileservicepb.AddFileResponse:
    rows = [f"2024-01-{day:02d},1,2,0.5,1.5,7{f',{EXTRA[extra]}' if extra else ''}" for day in range(1, 9)]
    content = "\n".join([f"date,open,high,low,close,volume{f',{extra}' if extra else ''}", *rows])
    file = filespb.AddedFile(name="mine", symbol="X", file_name="bars.csv")
    addition = filespb.FileAddition(file=file, content=zlib.compress(content.encode()))
    return await stub.files.AddFile(Chunked(fileservicepb.AddFileRequest, addition))


def canary_of(reply: fileservicepb.AddFileResponse) -> conformancepb.ConformanceFinding:
    return next(one for one in reply.report.findings if one.rule == conformancepb.CONFORMANCE_RULE_SCHEMA_CANARY)


async def test_versions_and_promotions_are_kept_with_who_did_them(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as seamless:
        stub = await seamless.stubs()
        first = await register(stub, "momentum", ("value", FLOAT))
        assert (first.version, first.compat_id, first.registered_by) == ("1.0", "momentum/1", "alice")
        assert await register(stub, "momentum", ("value", FLOAT)) == first, "the same columns are the same version"
        assert (await register(stub, "ohlcv", ("vwap", FLOAT), required=False)).version == "1.1"
        assert (await register(stub, "ohlcv", ("vwap", FLOAT))).version == "2.0"
        assert (await promote(stub, "2.0", CANARY)).stage == CANARY
        await promote(stub, "2.0", CANARY)  # in it already: not logged again
        await promote(stub, "1.1", CANARY)
        assert (await promote(stub, "1.1", STRICT)).stage == STRICT
    async with running(tmp_path, ingest=False) as seamless:
        stub = await seamless.stubs(Role.READER)
        listed = (await stub.schemas.ListSchemas(schemaservicepb.ListSchemasRequest())).schemas
        registered = rowschemaspb.SCHEMA_STAGE_REGISTERED
        assert [(one.name, one.version, one.stage) for one in listed] == [
            ("momentum", "1.0", registered),
            ("ohlcv", "1.0", RETIRED),
            ("ohlcv", "1.1", STRICT),
            ("ohlcv", "2.0", RETIRED),
        ]
        for size in (1, 2, 3, 4):
            pages, request = [], schemaservicepb.ListSchemasRequest()
            request.page.page_size = size
            while True:
                reply = await stub.schemas.ListSchemas(request)
                pages.append(list(reply.schemas))
                request.page.page_token = reply.page.next_page_token
                if not request.page.page_token:
                    break
            assert [len(page) for page in pages] == [size] * (4 // size) + [4 % size] * (4 % size > 0)
            assert [one for page in pages for one in page] == list(listed)
        assert await history(stub) == [
            ("1.0", registered, STRICT, "seamless", "built in"),
            ("2.0", registered, CANARY, "alice", "by the test"),
            ("1.1", registered, CANARY, "alice", "by the test"),
            ("1.1", CANARY, STRICT, "alice", "by the test"),
        ]


async def test_a_canary_is_recorded_and_a_strict_version_refuses(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as seamless:
        stub = await seamless.stubs()
        plain = await add(stub)
        assert (plain.report.schema_version, plain.report.canary_schema_version) == ("ohlcv 1.0", "")
        assert canary_of(plain).rows == 0
        await register(stub, "ohlcv", ("vwap", FLOAT))
        await promote(stub, "2.0", CANARY)
        recorded = await add(stub)
        assert (recorded.refusal, recorded.report.canary_schema_version) == ("", "ohlcv 2.0")
        assert (canary_of(recorded).rows, canary_of(recorded).blocking) == (1, False)
        assert [one.message for one in canary_of(recorded).samples] == ["column vwap is missing"]
        assert canary_of(await add(stub, "vwap")).rows == 0
        await promote(stub, "2.0", STRICT)
        refused = await add(stub)
        assert "refused by schema under policy tolerant" in refused.refusal
        assert [one.message for one in refused.report.findings[0].samples] == ["column vwap is missing"]
        assert (await add(stub, "vwap")).refusal == ""
        await register(stub, "ohlcv", ("note", FLOAT))
        await promote(stub, "3.0", STRICT)
        assert [one.message for one in (await add(stub, "note")).report.findings[0].samples] == [
            "column note is not FLOAT64"
        ]
        await register(stub, "ohlcv", ("trades", rowschemaspb.COLUMN_TYPE_INT64))
        await promote(stub, "4.0", STRICT)
        assert (await add(stub, "trades")).refusal == "", "whole numbers of a text file are integers"
        await register(stub, "ohlcv", ("vwap", rowschemaspb.COLUMN_TYPE_INT64))
        await promote(stub, "5.0", STRICT)
        assert "refused by schema" in (await add(stub, "vwap")).refusal
        await promote(stub, "5.0", RETIRED)
        assert (await add(stub)).refusal == ""


async def test_who_may_not_and_what_is_not_there_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as seamless:
        stub = await seamless.stubs()
        with pytest.raises(NotFound, match="E_SCHEMA_UNKNOWN"):
            await promote(stub, "1.0", STRICT, "none")
        with pytest.raises(NotFound, match=r"no version 9.0, it has 1.0"):
            await promote(stub, "9.0", STRICT)
        with pytest.raises(NotFound, match="E_SCHEMA_UNKNOWN"):
            await history(stub, "none")
        for version in ("1", "01.0", "1.-1", "1.0 "):
            with pytest.raises(InvalidRequest, match="version"):
                await promote(stub, version, STRICT)
        with pytest.raises(InvalidRequest, match="stage"):
            await promote(stub, "1.0", rowschemaspb.SCHEMA_STAGE_REGISTERED)
        for other in (await seamless.stubs(Role.READER), await seamless.stubs(Role.OPERATOR, ["w1"])):
            with pytest.raises(PermissionDenied):
                await register(other, "momentum", ("value", FLOAT))
            with pytest.raises(PermissionDenied):
                await promote(other, "1.0", STRICT)
