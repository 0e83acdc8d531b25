"""Worlds on the wire: unknown words are refused with their field, and an update keeps what it does not name."""

from __future__ import annotations

from typing import Any

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from worldservice.worlds import wire


@pytest.mark.parametrize("number", [0, 99])
def test_an_unspecified_or_unknown_word_is_refused_with_its_field(number: Any) -> None:
    for refuse in (
        lambda: wire.mode_from_proto(number, "mode"),
        lambda: wire.stage_from_proto(number, "mode"),
        lambda: wire.role_from_proto(number, "mode"),
        lambda: wire.side_from_proto(number, "mode"),
        lambda: wire.domain_from_proto(number, "mode"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            refuse()
        assert caught.value.violations[0].field == "mode"


def test_an_update_keeps_what_it_does_not_name() -> None:
    change = wire.change_from_proto(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", circuit_breaker=False, update_mask={"paths": ["circuit_breaker"]}
        )
    )
    assert (change.name, change.allow_live, change.circuit_breaker, change.state) == (None, None, False, None)
