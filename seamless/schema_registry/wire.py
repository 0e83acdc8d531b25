"""Row schemas as messages."""

from __future__ import annotations

import re

from qmtl.core.errors import refused
from qmtl.data.v1 import row_schemas_pb2 as rowschemaspb
from qmtl.wire.fields import known_enum
from qmtl.wire.instants import ns_to_proto
from seamless.domain.row_schemas import Column, ColumnType, Promotion, SchemaVersion, Stage
from seamless.schema_registry.store import Registered

_NUMBER = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")
_TYPES = {
    rowschemaspb.COLUMN_TYPE_TIMESTAMP: ColumnType.TIMESTAMP,
    rowschemaspb.COLUMN_TYPE_INT64: ColumnType.INT64,
    rowschemaspb.COLUMN_TYPE_FLOAT64: ColumnType.FLOAT64,
    rowschemaspb.COLUMN_TYPE_TEXT: ColumnType.TEXT,
}
_STAGES = {
    Stage.REGISTERED: rowschemaspb.SCHEMA_STAGE_REGISTERED,
    Stage.CANARY: rowschemaspb.SCHEMA_STAGE_CANARY,
    Stage.STRICT: rowschemaspb.SCHEMA_STAGE_STRICT,
    Stage.RETIRED: rowschemaspb.SCHEMA_STAGE_RETIRED,
}
_TYPE_NUMBERS = {kind: number for number, kind in _TYPES.items()}
_PROMOTED = {number: stage for stage, number in _STAGES.items() if stage is not Stage.REGISTERED}


def column_from_proto(message: rowschemaspb.SchemaColumn, field: str) -> Column:
    """Raises InvalidRequest (E_ENUM)."""
    return Column(message.name, known_enum(_TYPES, message.type, f"{field}.type"), message.required)


def column_to_proto(column: Column) -> rowschemaspb.SchemaColumn:
    return rowschemaspb.SchemaColumn(name=column.name, type=_TYPE_NUMBERS[column.type], required=column.required)


def number_from_proto(text: str) -> tuple[int, int]:
    """Major and minor of a version's number. Raises InvalidRequest (E_FIELD)."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise refused("E_FIELD", "version", repr(text[:80]), "major and minor, such as 1.0")
    return int(found[1]), int(found[2])


def stage_from_proto(number: rowschemaspb.SchemaStage) -> Stage:
    """A stage that a version may be put in. Raises InvalidRequest (E_ENUM)."""
    return known_enum(_PROMOTED, number, "stage")


def version_to_proto(found: Registered, stage: Stage) -> rowschemaspb.SchemaVersion:
    version: SchemaVersion = found.version
    return rowschemaspb.SchemaVersion(
        name=version.name,
        version=version.number,
        compat_id=version.compat_id,
        columns=[column_to_proto(column) for column in version.columns],
        stage=_STAGES[stage],
        registered_by=found.subject,
        registered_at=ns_to_proto(found.at_ns) if found.at_ns else None,
    )


def promotion_to_proto(name: str, act: Promotion) -> rowschemaspb.SchemaPromotion:
    return rowschemaspb.SchemaPromotion(
        name=name,
        version=f"{act.major}.{act.minor}",
        before=_STAGES[act.before],
        after=_STAGES[act.after],
        promoted_by=act.subject,
        promoted_at=ns_to_proto(act.at_ns) if act.at_ns else None,
        cause=act.cause,
    )
