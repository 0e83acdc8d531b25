"""The simulated exchange: what a bar does to the orders that rest in it."""

from __future__ import annotations

RESTS = "NO_VOLUME: the bar traded nothing, the order rests"
NOTHING_TO_REDUCE = "REDUCE_ONLY: no position is left to reduce"
