"""A row of the audit log: one attributed write, or the refusal of one."""

from dataclasses import dataclass
from datetime import datetime

from worldservice.activation.domain.history import ActivationRecord


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
