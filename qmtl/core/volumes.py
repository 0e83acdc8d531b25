"""What the volume of a bar counts: the instrument, or the money that was paid for it."""

from __future__ import annotations

from enum import Enum


class VolumeUnit(Enum):
    """BASE counts the instrument (coins, shares, contracts), QUOTE its value in quote currency."""

    BASE = "BASE"
    QUOTE = "QUOTE"
