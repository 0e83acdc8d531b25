"""What the numbers of a dataset mean and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Adjustment(Enum):
    """What was done to prices for splits and dividends."""

    RAW = "RAW"
    SPLIT = "SPLIT"
    TOTAL_RETURN = "TOTAL_RETURN"


@dataclass(frozen=True, slots=True)
class DatasetTerms:
    """Currency of prices, adjustment, the source's own zone, origin and licence. An empty text: not known."""

    price_currency: str = ""
    adjustment: Adjustment = Adjustment.RAW
    time_zone: str = "UTC"
    origin: str = ""
    licence: str = ""
