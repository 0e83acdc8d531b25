"""Whether orders can be a replay's: sizes follow the equity of who decided them; others' orders are nobody's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from worldservice.campaigns.domain.divergence.provenance import (
    MOVED_MIN,
    ORDERS_MIN,
    SizedOrder,
    follows_live,
    no_replay,
)

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = [START + timedelta(days=day) for day in range(40)]
LIVE = {at: Decimal(100_000) - 120 * day for day, at in enumerate(DAYS)}  # slippage takes 12 bp a day
REPLAY = {at: Decimal(100_000) + 15 * day for day, at in enumerate(DAYS)}
PRICES = {at: Decimal(100) + (day * 7) % 13 for day, at in enumerate(DAYS)}


def orders(size: Callable[[datetime], Decimal], count: int = 20) -> list[SizedOrder]:
    return [SizedOrder(f"X-{day}", "X", at, size(at), PRICES[at]) for day, at in enumerate(DAYS[:count])]


def fraction_of(equity: dict[datetime, Decimal], share: str = "0.5") -> Callable[[datetime], Decimal]:
    """Whole hundredths, as a lot of 0.01 takes."""
    return lambda at: (Decimal(share) * equity[at] / PRICES[at]).quantize(Decimal("0.01"))


def test_sizes_by_the_accounts_equity_are_a_copy_and_by_the_replays_are_not() -> None:
    assert list(follows_live(orders(fraction_of(LIVE)), LIVE, REPLAY)) == [("X", 20)]
    assert list(follows_live(orders(fraction_of(REPLAY)), LIVE, REPLAY)) == []
    (said,) = no_replay(orders(fraction_of(LIVE)), LIVE, REPLAY)
    assert said == "the sizes of 20 orders in X follow the account's equity, not the replay's: the list is a copy"


def test_sides_count_alike_and_a_target_of_nothing_says_nothing() -> None:
    sold = orders(lambda at: -fraction_of(LIVE)(at))
    assert list(follows_live(sold, LIVE, REPLAY)) == [("X", 20)]
    flat = [SizedOrder("f", "X", at, Decimal(0), PRICES[at]) for at in DAYS[20:]]
    assert list(follows_live([*sold, *flat], LIVE, REPLAY)) == [("X", 20)]


@pytest.mark.parametrize(
    "size",
    [
        lambda at: Decimal(10),
        lambda at: Decimal(1 + at.day % 5),
        lambda at: fraction_of(REPLAY, f"0.{1 + at.day % 4}")(at),
    ],
)
def test_fixed_sizes_and_sizes_that_move_by_themselves_are_not_suspected(size: Callable[[datetime], Decimal]) -> None:
    assert list(follows_live(orders(size), LIVE, REPLAY)) == []


def test_few_orders_and_equities_that_hardly_part_prove_nothing() -> None:
    assert list(follows_live(orders(fraction_of(LIVE), ORDERS_MIN), LIVE, REPLAY)) == [("X", ORDERS_MIN)]
    assert list(follows_live(orders(fraction_of(LIVE), ORDERS_MIN - 1), LIVE, REPLAY)) == []
    near = {at: equity + 1000 * MOVED_MIN for at, equity in LIVE.items()}
    assert list(follows_live(orders(fraction_of(LIVE)), LIVE, near)) == []
    assert list(follows_live(orders(fraction_of(LIVE)), LIVE, LIVE)) == []  # a live run equal to its replay


def test_orders_without_a_mark_or_an_equity_are_left_out() -> None:
    blind = [SizedOrder(f"b{at:%d}", "X", at, Decimal(1), None) for at in DAYS]
    assert list(no_replay(blind, LIVE, REPLAY)) == []
    assert list(follows_live(orders(fraction_of(LIVE)), {}, REPLAY)) == []
    assert list(follows_live(orders(fraction_of(LIVE)), LIVE, dict.fromkeys(DAYS, Decimal(0)))) == []


@pytest.mark.parametrize("name", ["margin-call-X-1-2", "flatten-abc-X", "demotion-abc-X-1", "rb-run-0-0-1"])
def test_what_others_sent_for_the_strategy_is_decided_by_no_replay(name: str) -> None:
    forged = SizedOrder(name, "X", START, None, None)
    (said,) = no_replay([*orders(lambda at: Decimal(1)), forged], LIVE, REPLAY)
    assert said == f"1 orders of the list were sent by others than the strategy, {name} first: it is no replay"
