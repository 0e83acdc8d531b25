"""An account's time: where its feeds stand, and which of them are still to come to an instant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brokerage.domain.accounts.account import Account, AccountFeed, AccountType, TradingState

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
LIVE = AccountFeed("live", "", "A", 60, position_ns=10 * MINUTE)
PLAYED = replace(LIVE, session_id="s")


def account(*feeds: AccountFeed) -> Account:
    return Account("a", AccountType.CASH, "paper", "USD", 1, 0, 1, TradingState.ACTIVE, 1, feeds)


@pytest.mark.parametrize(
    ("feed", "until_ns", "waits"),
    [
        (LIVE, 10 * MINUTE, False),
        (LIVE, 10 * MINUTE + 1, True),
        (LIVE, 12 * MINUTE, True),
        (LIVE, 12 * MINUTE + 1, False),  # more than two bars late: it has stopped
        (PLAYED, 10**6 * MINUTE, True),
        (PLAYED, 10 * MINUTE, False),
        (replace(PLAYED, ended=True), 11 * MINUTE, False),
        (replace(LIVE, position_ns=0), MINUTE, False),  # it has not begun
    ],
)
def test_a_feed_is_waited_for_while_its_bars_may_still_come(feed: AccountFeed, until_ns: int, waits: bool) -> None:
    assert feed.waits_for(until_ns) is waits


def test_the_feed_that_moves_is_not_behind_itself() -> None:
    late = replace(LIVE, symbol="B", position_ns=9 * MINUTE)
    assert account(LIVE, late).behind("A", 11 * MINUTE) == {"B": 9 * MINUTE}
    assert account(LIVE, late).behind("B", 11 * MINUTE) == {"A": 10 * MINUTE}


def test_the_time_of_an_account_is_that_of_its_furthest_replay_or_the_clock() -> None:
    early = replace(PLAYED, symbol="B", position_ns=3 * MINUTE)
    assert account().position_ns == 0
    assert account(PLAYED, early).position_ns == 10 * MINUTE
    assert account(PLAYED, early).time(7).at_ns == 10 * MINUTE
    assert account(PLAYED, early).time(7, "B").at_ns == 3 * MINUTE
    assert account(PLAYED, replace(LIVE, symbol="B")).time(7).at_ns == 7
    assert account().time(7).at_ns == 7
    assert account(early, PLAYED).time(7, "unknown").received_ns == 7
