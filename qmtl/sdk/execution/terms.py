"""What a local replay starts with: cash, brokerage profile, annualisation, warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.profile import BrokerageProfile


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What a replay starts with. `profile` None: spot, 0.1 % fee, paid in full. Days per year annualise the ratios.

    `start`: bars that close by it only warm the nodes up, as history does before a paper session. `instruments`: traded
    beside those that the library knows by name.
    """

    cash: Decimal = Decimal(100_000)
    profile: BrokerageProfile | None = None
    periods_per_year: float = 365.0
    start: datetime | None = None
    instruments: tuple[Instrument, ...] = ()
