"""`qmtl data schemas list|register|promote|history`: the columns that rows must have, in versions."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, Limit, with_access
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import enum_word, when
from qmtl.core.errors import refused
from qmtl.data.v1 import row_schemas_pb2 as rowschemaspb
from qmtl.data.v1 import schema_service_pb2 as schemaservicepb
from qmtl.data.v1 import schema_service_pb2_grpc as schemarpc
from qmtl.rpc.client.channel import MeshChannel

LIST_MAX = 1000
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the schema, for example ohlcv.")]


class StageName(Enum):
    """How a version is in force, as people write it."""

    CANARY = "canary"
    STRICT = "strict"
    RETIRED = "retired"


_STAGES = {
    StageName.CANARY: rowschemaspb.SCHEMA_STAGE_CANARY,
    StageName.STRICT: rowschemaspb.SCHEMA_STAGE_STRICT,
    StageName.RETIRED: rowschemaspb.SCHEMA_STAGE_RETIRED,
}
_TYPES = {
    "timestamp": rowschemaspb.COLUMN_TYPE_TIMESTAMP,
    "int64": rowschemaspb.COLUMN_TYPE_INT64,
    "float64": rowschemaspb.COLUMN_TYPE_FLOAT64,
    "text": rowschemaspb.COLUMN_TYPE_TEXT,
}


@with_access
def list_schemas(access: Access, limit: Limit = LIST_MAX) -> None:
    """List every version of every schema, and how it is in force."""
    request = schemaservicepb.ListSchemasRequest()
    found = ask(
        access,
        lambda channel: listed(
            schemarpc.SchemaServiceStub(channel).ListSchemas, request, lambda reply: reply.schemas, limit
        ),
    )
    columns = ("schema", "version", "compatible", "stage", "registered by", "columns")
    show_listing(access, found, "schemas", columns, _rows)


@with_access
def register(
    access: Access,
    name: Name,
    columns: Annotated[
        list[str],
        typer.Argument(
            metavar="COLUMN:TYPE...", help="TYPE is timestamp, int64, float64 or text; with ? it may be absent."
        ),
    ],
) -> None:
    """Make columns a version of a schema; its number follows from the newest version's columns."""
    request = schemaservicepb.RegisterSchemaRequest(name=name, columns=[_column(text) for text in columns])

    async def call(channel: MeshChannel) -> rowschemaspb.SchemaVersion:
        return (await schemarpc.SchemaServiceStub(channel).RegisterSchema(request)).schema

    _show(access, ask(access, call))


@with_access
def promote(
    access: Access,
    name: Name,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="For example 1.1.")],
    stage: Annotated[StageName, typer.Argument(metavar="STAGE", help="canary, strict or retired.")],
    cause: Annotated[str, typer.Option(help="Why, for the log.")] = "",
) -> None:
    """Compare what comes in with a version: recorded in canary, refused when strict; it is logged."""
    request = schemaservicepb.PromoteSchemaRequest(name=name, version=version, stage=_STAGES[stage], cause=cause)

    async def call(channel: MeshChannel) -> rowschemaspb.SchemaVersion:
        return (await schemarpc.SchemaServiceStub(channel).PromoteSchema(request)).schema

    _show(access, ask(access, call))


@with_access
def history(access: Access, name: Name, limit: Limit = LIST_MAX) -> None:
    """List the promotions of a schema, the oldest first: who, when, and why."""
    request = schemaservicepb.ListSchemaPromotionsRequest(name=name)
    found = ask(
        access,
        lambda channel: listed(
            schemarpc.SchemaServiceStub(channel).ListSchemaPromotions, request, lambda reply: reply.promotions, limit
        ),
    )
    show_listing(access, found, f"promotions of {name}", ("version", "from", "to", "by", "at", "why"), _acts)


def _column(text: str) -> rowschemaspb.SchemaColumn:
    """A column as people write it. Raises InvalidRequest (E_FIELD)."""
    name, _, kind = text.partition(":")
    required = not kind.endswith("?")
    kind = kind.removesuffix("?")
    if not name or kind not in _TYPES:
        raise refused("E_FIELD", "COLUMN", repr(text[:80]), f"NAME:TYPE with a type of {', '.join(_TYPES)}")
    return rowschemaspb.SchemaColumn(name=name, type=_TYPES[kind], required=required)


def _show(access: Access, found: rowschemaspb.SchemaVersion) -> None:
    if shown_as_json(access, found):
        return
    stage = enum_word(rowschemaspb.SchemaStage, found.stage)
    typer.echo(f"{found.name} {found.version} ({found.compat_id}): {stage}; {_columns(found)}")


def _rows(found: Sequence[rowschemaspb.SchemaVersion]) -> list[tuple[str, ...]]:
    return [
        (
            one.name,
            one.version,
            one.compat_id,
            enum_word(rowschemaspb.SchemaStage, one.stage),
            one.registered_by,
            _columns(one),
        )
        for one in found
    ]


def _columns(found: rowschemaspb.SchemaVersion) -> str:
    return " ".join(
        f"{one.name}:{enum_word(rowschemaspb.ColumnType, one.type).lower()}{'' if one.required else '?'}"
        for one in found.columns
    )


def _acts(found: Sequence[rowschemaspb.SchemaPromotion]) -> list[tuple[str, ...]]:
    return [
        (
            one.version,
            enum_word(rowschemaspb.SchemaStage, one.before),
            enum_word(rowschemaspb.SchemaStage, one.after),
            one.promoted_by,
            when(one.promoted_at) if one.HasField("promoted_at") else "-",
            one.cause or "-",
        )
        for one in found
    ]
