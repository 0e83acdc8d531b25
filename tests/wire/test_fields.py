"""Fields: each check names the field, what was there and what is wanted."""

from __future__ import annotations

from enum import Enum

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.wire.contexts import DOMAINS
from qmtl.wire.fields import enum_from_proto, known_enum, optional_text, require_int64, require_text


class Side(Enum):
    LONG = "LONG"
    SHORT = "SHORT"


@pytest.mark.parametrize(("number", "shown"), [(0, "unspecified"), (99, "99")])
def test_an_enum_is_never_guessed(number: int, shown: str) -> None:
    context = commonpb.ComputeContext(execution_domain=number)  # type: ignore[arg-type]  # 99 is of no version yet
    with pytest.raises(InvalidRequest) as caught:
        known_enum(DOMAINS, context.execution_domain, "context.execution_domain")
    assert caught.value.reason == "E_ENUM"
    assert str(caught.value.violations[0]).startswith(f"context.execution_domain is {shown}, want one of BACKTEST")


def test_an_enum_by_name_is_the_domain_s_word_or_refused() -> None:
    assert enum_from_proto(2, commonpb.Side, "SIDE_", Side, "side") is Side.SHORT
    for number in (0, 7):
        with pytest.raises(InvalidRequest, match="E_ENUM"):
            enum_from_proto(number, commonpb.Side, "SIDE_", Side, "side")


@pytest.mark.parametrize("text", ["", " ", "\t", "a\nb", "x" * 201])
def test_a_text_that_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        require_text(text, "world.name")
    assert (caught.value.reason, caught.value.violations[0].field) == ("E_FIELD", "world.name")


def test_an_optional_text_may_be_empty_and_is_else_checked() -> None:
    assert optional_text("", "note") == ""
    assert optional_text("fine", "note") == "fine"
    with pytest.raises(InvalidRequest, match="E_FIELD"):
        optional_text("a\nb", "note")


def test_a_number_that_no_store_has_is_refused() -> None:
    assert require_int64(2**63 - 1, "epoch") == 2**63 - 1
    with pytest.raises(InvalidRequest, match="E_FIELD"):
        require_int64(2**63, "epoch")
