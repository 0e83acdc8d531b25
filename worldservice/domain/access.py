"""Roles in a world: reader < operator < owner; the higher of token and grant holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from qmtl.core.errors import NotFound, NotReady, PermissionDenied


class Role(IntEnum):
    NONE = 0
    READER = 1
    OPERATOR = 2
    OWNER = 3


@dataclass(frozen=True, slots=True)
class Grant:
    world_id: str
    subject: str
    role: Role
    granted_by: str
    granted_at: datetime


def effective_role(token_role: Role, grants: Sequence[Grant], subject: str) -> Role:
    """What a subject may do in the world of these grants."""
    return max([token_role, *(grant.role for grant in grants if grant.subject == subject)])


def require_role(have: Role, want: Role, subject: str, world_id: str) -> None:
    if have < want:
        raise PermissionDenied(
            "E_ROLE",
            f"role of {subject} in world {world_id} is {have.name}, want {want.name}",
            hint=f"ask an owner of {world_id} for a grant",
            metadata={"have": have.name, "want": want.name},
        )


def check_revoke(grants: Sequence[Grant], subject: str) -> None:
    """A world keeps an owner. Raises NotFound (E_GRANT_UNKNOWN), NotReady (E_LAST_OWNER)."""
    mine = [grant for grant in grants if grant.subject == subject]
    if not mine:
        raise NotFound("E_GRANT_UNKNOWN", f"{subject} has no grant in this world")
    owners = {grant.subject for grant in grants if grant.role is Role.OWNER}
    if owners == {subject}:
        raise NotReady("E_LAST_OWNER", f"{subject} is the last owner", hint="grant another owner first")


def check_regrant(grants: Sequence[Grant], subject: str, role: Role) -> None:
    """Lowering the last owner by a grant is refused like revoking it."""
    owners = {grant.subject for grant in grants if grant.role is Role.OWNER}
    if role is not Role.OWNER and owners == {subject}:
        raise NotReady("E_LAST_OWNER", f"{subject} is the last owner", hint="grant another owner first")
