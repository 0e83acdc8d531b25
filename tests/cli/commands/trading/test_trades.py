"""`qmtl trades` reports all fills of an account or none."""

from __future__ import annotations

import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.commands.trading.orders import SEARCH_MAX
from qmtl.cli.commands.trading.trades import require_whole
from qmtl.core.errors import InvalidRequest


def test_a_part_of_an_accounts_fills_is_no_report() -> None:
    fills = [orderpb.Fill()] * SEARCH_MAX
    assert require_whole(fills, "acc", "fills") is fills
    with pytest.raises(InvalidRequest, match="account acc has more than 100,000 fills") as caught:
        require_whole([*fills, orderpb.Fill()], "acc", "fills")
    assert caught.value.reason == "E_TOO_LARGE"
