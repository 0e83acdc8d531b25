"""What a venue reports of an order, booked as events."""

from __future__ import annotations

UNKNOWN = "UNKNOWN: no answer came; the venue will be asked, nothing is sent again"
NOT_AT_VENUE = "NOT_AT_VENUE: the venue does not have it; nothing is sent again"
FOUND = "FOUND: the venue has it, its answer was lost"
