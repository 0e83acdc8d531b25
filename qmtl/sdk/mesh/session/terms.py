"""How a paper session is run: account, cash, pace and when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class PaperTerms:
    """How a paper session is run.

    `account` empty: one account per strategy. `profile` names a brokerage profile ("ibkr_equities"), which has the fees
    then; empty: the one that the world's policy asks for, else `fee_rate` and what the brokerage is set up with.
    `until` ends the session at a data time; None is its own end.
    `activation_wait_s` is how long an operator's activation is waited for. `bars_per_second` is the pace of a
    replay that this run is the first to open; 0 is as fast as its strategies and the venue follow.
    """

    account: str = ""
    cash: Decimal = Decimal(100_000)
    fee_rate: Decimal = Decimal("0.001")
    profile: str = ""
    until: datetime | None = None
    activation_wait_s: float = 60.0
    bars_per_second: float = 0.0
    periods_per_year: float = 365.0
