"""What a local replay starts with: cash, brokerage profile, warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.corporate import CorporateAction
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.models.profiles.named import profile_named
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import refused


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What a replay starts with.

    `profile` is a brokerage profile or the name of one ("ibkr_equities"); None: spot, 0.1 % fee, paid in full.

    `start`: bars that close by it only warm the nodes up, as history does before a paper session. `instruments`: traded
    beside those that the library knows by name. `actions`: splits and dividends, of prices that are not adjusted for
    them, exchanges of shares and delistings.
    `keeps`: a target that stands at `start` is acted on once it changes, not at the first bar.
    `late`: closes, in ns, at which nothing is decided: bars that a recorded session was told only after newer ones.
    `latency`: an order reaches the venue so much after the close it was decided on. `cash` may be given as a
    whole number or as decimal text.
    """

    cash: Decimal = Decimal(100_000)
    profile: BrokerageProfile | str | None = None
    start: datetime | None = None
    instruments: tuple[Instrument, ...] = ()
    actions: tuple[CorporateAction, ...] = ()
    latency: timedelta = timedelta(0)
    late: frozenset[int] = frozenset()
    keeps: bool = False

    def __post_init__(self) -> None:
        """Take whole numbers and decimal text as cash. Raises InvalidRequest (E_FIELD) for a float, NaN or infinity."""
        cash: object = self.cash
        if isinstance(cash, str):
            object.__setattr__(self, "cash", parse_decimal(cash, "cash"))
        elif isinstance(cash, int) and not isinstance(cash, bool):
            object.__setattr__(self, "cash", Decimal(cash))
        elif not isinstance(cash, Decimal) or not cash.is_finite():
            want = 'money in exact decimals: Decimal("10000.50"), "10000.50" or a whole number'
            raise refused("E_FIELD", "cash", f"{cash!r} ({type(cash).__name__})", want)

    @property
    def brokerage(self) -> BrokerageProfile:
        """The profile. Raises InvalidRequest (E_PROFILE_UNKNOWN)."""
        if isinstance(self.profile, str):
            return profile_named(self.profile)
        return self.profile or spot()
