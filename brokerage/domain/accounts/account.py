"""An account: its settings, the feeds that move its instruments, the ends of its logs, and whether it may trade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from brokerage.domain.accounts.limits import NO_ACCOUNT_LIMITS, AccountLimits
from brokerage.domain.market.mark import SECOND_NS, Mark
from brokerage.domain.orders.events import EventTime

WAITED_BARS = 2
"""Bars that a live feed may be late before the account's money goes on without it."""


class TradingState(Enum):
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class AccountType(Enum):
    """CASH pays in full and sells nothing short; MARGIN holds notional / leverage against equity."""

    CASH = "CASH"
    MARGIN = "MARGIN"


NO_COSTS = ("", "", "", "")


@dataclass(frozen=True, slots=True)
class AccountFeed:
    """Bars that move one instrument of an account: their preset, the replay session they are played in (empty: live),
    the close of the last bar processed, and the price it left. What time costs and brings the positions in it is paid
    up to `carried_ns` (0: it has not begun). `ended`: the replay has come to its end.
    """

    preset: str
    session_id: str
    symbol: str
    interval_s: int
    position_ns: int = 0
    mark: Mark | None = None
    carried_ns: int = 0
    ended: bool = False

    def waits_for(self, until_ns: int) -> bool:
        """Whether bars that close by an instant are still to come. A live feed that is more than two of its bars late
        has stopped; a replay comes to its end in its own time.
        """
        if self.ended or not 0 < self.position_ns < until_ns:
            return False
        return bool(self.session_id) or until_ns <= self.position_ns + WAITED_BARS * self.interval_s * SECOND_NS


@dataclass(frozen=True, slots=True)
class Account:
    """Money at one venue. Which worlds may use it is kept beside it: an order needs to know of its own world only.

    `costs` are the least maker fee, taker fee and slippage and the largest participation that were asked, as text.
    `profile` names the brokerage profile that it has; empty: `fee_rate` and what the brokerage is set up with. Its
    cash is settled up to `carried_ns` and has borne interest up to `interest_ns`; 0: time moves none, or has not begun.
    `margin_warned_ns` is the bar from which on its margin is short, `missed_ns` the close of the last bar that it could
    not take; 0: there is none.
    """

    account: str
    type: AccountType
    venue: str
    base_currency: str
    starting_cash: int
    fee_rate: int
    leverage: int
    trading_state: TradingState
    created_ns: int
    feeds: tuple[AccountFeed, ...]
    event_sequence: int = 0
    fill_sequence: int = 0
    rate_ns: int = 0
    peak_equity: int | None = None
    circuit_ns: int | None = None
    margin_warned_ns: int = 0
    missed_ns: int = 0
    limits: AccountLimits = NO_ACCOUNT_LIMITS
    profile: str = ""
    costs: tuple[str, str, str, str] = NO_COSTS
    carried_ns: int = 0
    interest_ns: int = 0

    @property
    def marks(self) -> dict[str, Mark]:
        """Last known prices by symbol."""
        return {feed.symbol: feed.mark for feed in self.feeds if feed.mark is not None}

    @property
    def position_ns(self) -> int:
        """Close of the newest bar that any feed has brought; 0: none yet."""
        return max((feed.position_ns for feed in self.feeds), default=0)

    @property
    def shown_ns(self) -> int:
        """Close of the newest bar that was processed; of a replay on several feeds, as far as all of them are."""
        going = [feed for feed in self.feeds if not feed.ended]
        replays = {feed.session_id for feed in going if feed.session_id}
        live = [feed.position_ns for feed in going if not feed.session_id]
        behind = [min(one.position_ns for one in going if one.session_id == name) for name in replays]
        return max([*live, *behind], default=self.position_ns)

    def feed(self, symbol: str) -> AccountFeed | None:
        """The feed that moves a symbol."""
        return next((feed for feed in self.feeds if feed.symbol == symbol), None)

    def time(self, now_ns: int, symbol: str = "") -> EventTime:
        """This moment in the account's time: where the replay of the symbol stands, or the clock on a live feed."""
        feed = self.feed(symbol)
        feeds: Sequence[AccountFeed] = self.feeds if feed is None else (feed,)
        replayed = bool(feeds) and all(one.session_id for one in feeds)
        return EventTime(max(one.position_ns for one in feeds) if replayed else now_ns, now_ns)

    def behind(self, symbol: str, until_ns: int) -> dict[str, int]:
        """Symbols whose feeds are still to come to an instant that the feed of one has come to, and where they are."""
        others = (feed for feed in self.feeds if feed.symbol != symbol)
        return {feed.symbol: feed.position_ns for feed in others if feed.waits_for(until_ns)}

    def has_come(self, symbol: str, at_ns: int, now_ns: int = 0, heard_ns: int = 0) -> bool:
        """Whether no bar of a symbol that closes by an instant is waited for any more: its feed has come there, has
        ended, or is live and more than two of its bars late by the clock (`now_ns`; 0: the clock is not asked), during
        which nothing was heard of it since `heard_ns`: one that catches up is not late.
        """
        feed = self.feed(symbol)
        if feed is None or feed.ended or feed.position_ns >= at_ns:
            return True
        return not feed.session_id and now_ns >= max(at_ns, heard_ns) + WAITED_BARS * feed.interval_s * SECOND_NS

    def moved(self, feed: AccountFeed) -> Account:
        """The account with one of its feeds further along."""
        return replace(self, feeds=tuple(feed if one.symbol == feed.symbol else one for one in self.feeds))

    def same_settings(self, other: Account) -> bool:
        """Whether a request to open it asks for what is there; feeds that came later do not matter."""
        return self._settings() == other._settings() and set(other._sources()) <= set(self._sources())

    def _settings(self) -> tuple[str | int | AccountType, ...]:
        money = self.starting_cash, self.fee_rate, self.leverage
        return self.type, self.venue, self.base_currency, *money, self.profile, *self.costs

    def _sources(self) -> list[tuple[str, str, str]]:
        return [(feed.preset, feed.session_id, feed.symbol) for feed in self.feeds]
