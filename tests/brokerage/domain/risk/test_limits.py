"""Limits tightened by a world's: the smaller of two amounts, rounded down, and never none where a world says one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.money import LIMIT_SCALE, rate
from brokerage.domain.orders.order import Side
from brokerage.domain.risk.exposure_rules import drawn_down
from brokerage.domain.risk.limits import NO_LIMITS, NOTHING, Limits, at_scale, spans_accounts, tightened
from qmtl.core.decimals import INT64_MAX
from qmtl.core.limits import UNLIMITED, RiskLimits

CENTS = 2


@pytest.mark.parametrize(
    ("own", "world", "want"),
    [
        (0, None, 0),
        (0, "2500.509", 250_050),
        (100_000, "2500.50", 100_000),
        (300_000, "2500.50", 250_050),
        (250_050, "2500.50", 250_050),
        (0, "0.009", NOTHING),
        (5, "0.009", NOTHING),
        (0, "0.01", 1),
        (0, "1e30", INT64_MAX),
    ],
)
def test_the_tighter_of_two_amounts_binds(own: int, world: str | None, want: int) -> None:
    limits = Limits(order_notional_max=own * 10 ** (LIMIT_SCALE - CENTS))
    asked = RiskLimits(order_notional_max=None if world is None else Decimal(world))
    assert tightened(limits, asked, Side.BUY, CENTS).order_notional_max == want


def test_each_side_has_the_limit_of_its_position() -> None:
    world = replace(UNLIMITED, long_notional_max=Decimal(7), short_notional_max=Decimal(5))
    found = [tightened(NO_LIMITS, world, side, CENTS).position_notional_max for side in (Side.BUY, Side.SELL)]
    assert found == [700, 500]


def test_limits_of_a_world_are_its_own_and_span_accounts() -> None:
    world = replace(UNLIMITED, gross_notional_max=Decimal(9), net_notional_max=Decimal(8))
    found = tightened(NO_LIMITS, world, Side.BUY, CENTS)
    assert (found.world_gross_max, found.world_net_max, found.account_gross_max) == (900, 800, 0)
    for one in (replace(UNLIMITED, gross_notional_max=Decimal(9)), replace(UNLIMITED, net_notional_max=Decimal(8))):
        assert spans_accounts(NO_LIMITS, one)
    assert spans_accounts(Limits(world_gross_max=1), UNLIMITED)
    assert spans_accounts(Limits(world_net_max=1), UNLIMITED)
    assert not spans_accounts(Limits(account_gross_max=1), replace(UNLIMITED, order_notional_max=Decimal(1)))


def test_another_scale_rounds_down_and_leaves_rates_alone() -> None:
    unit = 10 ** (LIMIT_SCALE - CENTS)
    found = at_scale(Limits(order_notional_max=unit * 3 - 1, account_net_max=unit - 1, leverage_max=7), CENTS)
    assert (found.order_notional_max, found.account_net_max, found.leverage_max) == (2, NOTHING, 7)
    assert at_scale(found, LIMIT_SCALE) is found


@pytest.mark.parametrize(
    ("equity", "share", "opens"),
    [(900, "0.1", True), (901, "0.1", False), (1_000, "0.1", False), (0, "1", True), (1, "1", False), (-5, "1", True)],
)
def test_the_circuit_opens_at_the_share_of_the_peak_and_not_before(equity: int, share: str, opens: bool) -> None:
    assert drawn_down(equity, 1_000, rate(share)) is opens
