"""Small values that are kept and shown: rows of the audit log, pages of listings, approvals to go live."""

from dataclasses import dataclass
from datetime import datetime

from worldservice.domain.history import ActivationRecord


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
    record: ActivationRecord | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """An owner's word that a strategy may go live; it may end by itself and be taken back."""

    world_id: str
    strategy_id: str
    approved_by: str
    reason: str
    approved_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
