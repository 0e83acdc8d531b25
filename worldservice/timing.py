"""How long a gate session lives, and the margin by which both sides count it out on the safe side."""

from __future__ import annotations

from datetime import timedelta

GATE_TTL = timedelta(seconds=5)
GATE_MARGIN = timedelta(seconds=1)
