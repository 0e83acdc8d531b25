"""Values that are only kept and shown: rows of the audit log, pages of listings."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing: at most `size` rows after the key `after` (empty: from the start)."""

    size: int
    after: str = ""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One attributed write or the refusal of one; `sequence` 0 until it is stored."""

    sequence: int
    world_id: str
    actor: str
    event: str
    request: str
    result: str
    detail: str
    correlation_id: str
    time: datetime
