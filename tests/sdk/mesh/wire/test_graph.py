"""A graph as it is submitted."""

from __future__ import annotations

from qmtl.sdk.graph.schemas import OHLCV, VALUE
from qmtl.sdk.mesh.wire.graph import schema_hash


def test_schema_hash_tells_fields_apart() -> None:
    assert schema_hash(OHLCV) != schema_hash(VALUE)
    assert schema_hash(OHLCV) == schema_hash(OHLCV)
