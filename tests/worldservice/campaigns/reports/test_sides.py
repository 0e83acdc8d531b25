"""Sides of a report: what one of them held as the window opened is never left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.core.errors import NotReady
from qmtl.wire.instants import instant_to_proto
from worldservice.campaigns.reports.sides import Told, Window, marks_of
from worldservice.evaluation.replay.numbers import Replayed

START = datetime(2026, 1, 5, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=2), START + timedelta(days=4))


def side(*symbols: str, bought: str = "", day: int = 1) -> Replayed:
    """An account that was told prices of some symbols, and bought two of one on a day."""
    found, told = Replayed(), replaypb.ReplaySummary(base_currency="USD", fill_count=1 if bought else 0)
    for symbol in symbols:
        told.instruments.add(symbol=symbol, multiplier="1", last_price="101", opening_price="100")
    if bought:
        fill = orderpb.Fill(symbol=bought, side=orderpb.ORDER_SIDE_BUY, quantity="2", price="99")
        fill.account_time.CopyFrom(instant_to_proto(START + timedelta(days=day)))
        found.take(replayservicepb.ReplayOrdersResponse(fills=replaypb.ReplayedFills(fills=[fill])))
    found.take(replayservicepb.ReplayOrdersResponse(summary=told))
    return found


@pytest.mark.parametrize("live", [True, False])
def test_a_position_of_a_symbol_that_only_one_side_has_is_named(live: bool) -> None:
    one, other = side("BTC", "ETH", bought="ETH"), side("BTC")
    told = Told(one, (), other, ()) if live else Told(other, (), one, ())
    with pytest.raises(NotReady, match=r"E_MARK_MISSING.*ETH"):
        marks_of(told, WINDOW)


def test_what_nobody_held_as_the_window_opened_needs_no_price() -> None:
    told = Told(side("BTC", "ETH", bought="ETH", day=3), (), side("BTC"), ())
    assert list(marks_of(told, WINDOW)) == ["BTC"]
