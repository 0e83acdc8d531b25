"""Schemas of node values: the fields of a row, all float64, and which one is read by default."""

from __future__ import annotations

from dataclasses import dataclass

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import canonical_json, digest


@dataclass(frozen=True, slots=True)
class Schema:
    """Fields of a node's values, all float64; `compat_id` names the major version, `default` the main field."""

    compat_id: str
    fields: tuple[str, ...]
    default: str

    @property
    def hash(self) -> str:
        """Byte-level hash: all fields in order."""
        return digest(canonical_json([self.compat_id, list(self.fields), self.default]))

    def column(self, field: str) -> int:
        """Index of a field. Raises InvalidRequest (E_FIELD_UNKNOWN)."""
        if field not in self.fields:
            raise refused("E_FIELD_UNKNOWN", "field", field, f"one of {', '.join(self.fields)}")
        return self.fields.index(field)


OHLCV = Schema("qmtl.ohlcv.v1", ("open", "high", "low", "close", "volume"), "close")
VALUE = Schema("qmtl.value.v1", ("value",), "value")
DIRECTION = Schema("qmtl.direction.v1", ("direction",), "direction")
TARGET = Schema("qmtl.position_target.v1", ("target",), "target")
POSITION = Schema("qmtl.position.v1", ("quantity", "average_price", "unrealised", "bars_held"), "quantity")
QUOTE_INTENT = Schema("qmtl.quote_intent.v1", ("fair", "half_spread", "size"), "fair")
QUOTE_COMMAND = Schema("qmtl.quote_command.v1", ("fair", "half_spread", "size", "price"), "fair")
COMMAND = Schema("qmtl.order_command.v1", ("target", "price"), "target")
