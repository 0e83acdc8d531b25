"""Stored versions of a world's policy, each with its document as it was uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class PolicyStatus(Enum):
    """ACTIVE is the world's default, DEPRECATED was it."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    DEPRECATED = "DEPRECATED"


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """A stored policy version with its document as uploaded; `policy.Policy` is its compiled form."""

    world_id: str
    version: int
    document: str
    checksum: str
    status: PolicyStatus
    created_by: str
    created_at: datetime
    valid_from: datetime | None
