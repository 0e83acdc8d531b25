"""A row of the audit log: one attributed write, or the refusal of one."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """A change of the activation as the log keeps it: an encoded ActivationRecord, which only `activation` decodes."""

    revision: int
    whole: bool  # nothing before it is needed to rebuild the activation
    content: bytes


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
    record: Recorded | None = None
