"""An account: its settings, its progress along its feed, the ends of its logs, and whether it may trade."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from brokerage.domain.market.mark import SECOND_NS, Mark
from brokerage.domain.orders.events import EventTime


class TradingState(Enum):
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


@dataclass(frozen=True, slots=True)
class Account:
    """A paper account of one world: its feed, its progress along the feed, and the ends of its logs."""

    account: str
    world_id: str
    venue: str
    base_currency: str
    starting_cash: int
    data_preset: str
    data_session_id: str
    symbol: str
    interval_s: int
    fee_rate: int
    trading_state: TradingState
    created_ns: int
    venue_ns: int
    mark_price: int | None
    mark_ns: int | None
    event_sequence: int
    fill_sequence: int
    rate_ns: int = 0
    peak_equity: int | None = None
    circuit_ns: int | None = None

    @property
    def mark(self) -> Mark | None:
        if self.mark_price is None or self.mark_ns is None:
            return None
        return Mark(self.mark_price, self.mark_ns, self.interval_s * SECOND_NS)

    def time(self, now_ns: int) -> EventTime:
        """This moment in the account's time: where its replay stands, or the clock on a live feed."""
        return EventTime(self.venue_ns if self.data_session_id else now_ns, now_ns)

    def same_settings(self, other: Account) -> bool:
        """Whether a request to open it asks for what is there."""
        return self._settings() == other._settings()

    def _settings(self) -> tuple[str | int, ...]:
        return (
            self.world_id,
            self.venue,
            self.base_currency,
            self.starting_cash,
            self.data_preset,
            self.data_session_id,
            self.fee_rate,
        )
