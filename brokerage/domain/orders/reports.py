"""What a venue says of orders: its answer to a request, and its reports of what happened to them since."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from brokerage.domain.orders.events import EventTime, Fill, WorkedTerms
from brokerage.domain.orders.states import EventKind
from qmtl.core.fast_init import fast_init


class Outcome(Enum):
    """How a request to a venue ended. UNKNOWN (a timeout, a lost connection) is never a rejection."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


class VenueAct(Enum):
    """What a venue is asked to do with an order."""

    SUBMIT = "SUBMIT"
    REPLACE = "REPLACE"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True)
class VenueAnswer:
    """A venue's answer to a submit, a replace or a cancel. `reason` is in the venue's own words, `at_ns` is the time it
    gives; 0: none. `filled` is how much of the order had filled by then; None: not told.
    """

    outcome: Outcome
    venue_order_id: str = ""
    reason: str = ""
    at_ns: int = 0
    filled: Decimal | None = None


@fast_init
@dataclass(frozen=True, slots=True)
class VenueReport:
    """One thing that happened to an order at its venue; a fill has its `fill`.

    `stop` and `limit` are where an update has moved the order's own prices; None: not moved. `terms` are those of a
    replace that was made. `filled`: as of an answer; the end of an order is not booked before its fills.
    """

    order_id: str
    kind: EventKind
    time: EventTime
    fill: Fill | None = None
    reason: str = ""
    stop: int | None = None
    limit: int | None = None
    terms: WorkedTerms | None = None
    filled: Decimal | None = None
