"""Risk limits of a world to protobuf and back: worldservice tells them with a fence, brokerage holds them."""

from __future__ import annotations

from decimal import Decimal

from qmtl.common.v1 import limits_pb2 as limitspb
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.limits import UNLIMITED, RiskLimits


def limits_to_proto(limits: RiskLimits) -> limitspb.RiskLimits | None:
    """None for no limit at all, so that the message is absent."""
    return None if limits == UNLIMITED else limitspb.RiskLimits(**limits.texts())


def limits_from_proto(message: limitspb.RiskLimits) -> RiskLimits:
    """Raises InvalidRequest (E_DECIMAL): a limit that cannot be read is not taken for none."""
    given = {field.name: _amount(text, f"limits.{field.name}") for field, text in message.ListFields()}
    return RiskLimits(**given) if given else UNLIMITED


def _amount(text: str, field: str) -> Decimal:
    value = parse_decimal(text, field)
    if value <= 0:
        violation = Violation(field, text[:80], "above 0, or empty for no limit")
        raise InvalidRequest("E_DECIMAL", str(violation), violations=(violation,))
    return value
