"""Risk limits of a world to protobuf and back: worldservice tells them with a fence, brokerage holds them."""

from __future__ import annotations

from decimal import Decimal

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.limits import LIMIT_NAMES, UNLIMITED, RiskLimits


def limits_to_proto(limits: RiskLimits) -> brokerpb.RiskLimits | None:
    """None for no limit at all, so that the message is absent."""
    if limits == UNLIMITED:
        return None
    given = {name: value for name in LIMIT_NAMES if (value := getattr(limits, name)) is not None}
    return brokerpb.RiskLimits(**{name: format_decimal(value) for name, value in given.items()})


def limits_from_proto(message: brokerpb.RiskLimits) -> RiskLimits:
    """Raises InvalidRequest (E_DECIMAL): a limit that cannot be read is not taken for none."""
    return RiskLimits(**{name: _amount(getattr(message, name), f"limits.{name}") for name in LIMIT_NAMES})


def _amount(text: str, field: str) -> Decimal | None:
    if not text:
        return None
    value = parse_decimal(text, field)
    if value <= 0:
        violation = Violation(field, text[:80], "above 0, or empty for no limit")
        raise InvalidRequest("E_DECIMAL", str(violation), violations=(violation,))
    return value
