"""Sides of a report: what one of them held as the window opened is never left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import NotReady
from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import divergence_pb2 as divergencepb
from worldservice.campaigns.domain.divergence.attribution import EXACT
from worldservice.campaigns.reports.sides import Told, Window, marks_of, sides_of
from worldservice.campaigns.reports.wire import unexplained
from worldservice.evaluation.replay.numbers import Replayed

START = datetime(2026, 1, 5, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=2), START + timedelta(days=4))


def side(*symbols: str, bought: str = "", day: int = 1, quantity: str = "2", paid: str = "") -> Replayed:
    """An account that was told prices of some symbols, bought some of one on a day, and was paid for time."""
    found, told = Replayed(), replaypb.ReplaySummary(base_currency="USD", fill_count=1 if bought else 0)
    if paid:
        told.carried["FUNDING"] = paid
    for symbol in symbols:
        told.instruments.add(symbol=symbol, multiplier="1", last_price="101", opening_price="100")
    if bought:
        fill = orderpb.Fill(symbol=bought, side=orderpb.ORDER_SIDE_BUY, quantity=quantity, price="99")
        fill.account_time.CopyFrom(instant_to_proto(START + timedelta(days=day)))
        found.take(replayservicepb.ReplayOrdersResponse(fills=replaypb.ReplayedFills(fills=[fill])))
    found.take(replayservicepb.ReplayOrdersResponse(summary=told))
    return found


def test_a_share_of_what_was_held_and_of_what_time_paid_is_exact() -> None:
    window = replace(WINDOW, weight=Decimal("0.3333333333333333"), cash=Decimal(1_000))
    held = side("BTC", bought="BTC", quantity="123456789012.12345678", paid="-98765432109.87654321")
    told = Told(side("BTC"), (), held, ())
    assert marks_of(told, window)["BTC"].replay_opening.quantity == Decimal("41152263004.041148144773699595884774")
    _, replay = sides_of(told, window)
    assert replay.funding == Decimal("-32921810703.292177777818929670781893")


@pytest.mark.parametrize("live", [True, False])
def test_a_position_of_a_symbol_that_only_one_side_has_is_named(live: bool) -> None:
    one, other = side("BTC", "ETH", bought="ETH"), side("BTC")
    told = Told(one, (), other, ()) if live else Told(other, (), one, ())
    with pytest.raises(NotReady, match=r"E_MARK_MISSING.*ETH"):
        marks_of(told, WINDOW)


def test_what_nobody_held_as_the_window_opened_needs_no_price() -> None:
    told = Told(side("BTC", "ETH", bought="ETH", day=3), (), side("BTC"), ())
    assert list(marks_of(told, WINDOW)) == ["BTC"]


def test_terms_of_a_fine_weight_are_read_to_their_last_digit() -> None:
    third = EXACT.multiply(Decimal("98765432.12345678"), EXACT.multiply(Decimal("1234.12345679"), Decimal(1) / 3))
    terms = divergencepb.DivergenceTerms(
        live_pnl="0", replay_pnl=format_decimal(third), opening=format_decimal(third.copy_negate())
    )
    assert len(terms.replay_pnl) > 40
    assert unexplained(terms) == 0
    terms.opening += "1"
    assert unexplained(terms) != 0
