"""How a session is run: account, cash, pace and when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

FEE = Decimal("0.001")
CASH = Decimal(100_000)


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """How a session is run.

    `account` empty: on paper one account per strategy, live the only account at an exchange that the world may use.
    Kind, leverage, cash and profile of a paper account are the world's; `cash`, `fee_rate` and `profile` are of worlds
    without a policy, refused elsewhere where they differ, and live. None and empty: 100,000, 0.001 and none.
    `until` ends the session at a data time; None is its own end.
    `activation_wait_s` is how long an operator's activation is waited for. `bars_per_second` is the pace of a
    replay that this run is the first to open; 0 is as fast as its strategies and the venue follow.
    `version`: the version of the strategy's plan that it trades as, which says which symbols are routed to it; 0 is the
    newest.
    """

    account: str = ""
    cash: Decimal | None = None
    fee_rate: Decimal | None = None
    profile: str = ""
    until: datetime | None = None
    activation_wait_s: float = 60.0
    bars_per_second: float = 0.0
    version: int = 0
