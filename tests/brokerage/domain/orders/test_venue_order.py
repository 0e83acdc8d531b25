"""An order as its venue is given it: the terms that work, under the id that works."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.orders.venue_order import order_at_venue, replacement_of
from qmtl.core.errors import NotFound
from tests.brokerage.domain.trading.test_reports import RESTING, TERMS, desk_with


def test_a_venue_is_given_the_terms_that_work_and_a_replacement_those_that_are_wanted() -> None:
    record = replace(desk_with(RESTING).record("o1"), wanted=TERMS, replaces=1)
    given, by = order_at_venue(record), replacement_of(record)
    assert by is not None
    assert (given.order.quantity, given.order.limit_price, given.venue_order_id) == (
        Decimal(5),
        Decimal("90.00"),
        record.id,
    )
    assert (by.order.quantity, by.order.limit_price, by.order_id) == (Decimal(7), Decimal("99.00"), record.id)
    assert by.venue_order_id != given.venue_order_id
    assert replacement_of(replace(record, wanted=None)) is None
    with pytest.raises(NotFound, match="E_INSTRUMENT_UNKNOWN"):
        order_at_venue(replace(record, instrument=None))
