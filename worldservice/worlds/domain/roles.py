"""Roles in a world: reader < operator < owner; the higher of token and grant holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from qmtl.core.errors import NotFound, NotReady, PermissionDenied
from qmtl.core.roles import Role


def world_scope(world_id: str) -> str:
    """The scope of grants in a world."""
    return f"world:{world_id}"


def account_scope(account: str) -> str:
    """The scope of grants in an account of brokerage."""
    return f"account:{account}"


@dataclass(frozen=True, slots=True)
class Grant:
    """A subject's role in a scope: `world:<world_id>` or `account:<name>`."""

    scope: str
    subject: str
    role: Role
    granted_by: str
    granted_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `worlds` None: the token is not limited to some. `own_act`: a service for itself, granted by name."""

    subject: str
    token_role: Role
    worlds: frozenset[str] | None = None
    own_act: bool = False


def effective_role(caller: Caller, grants: Sequence[Grant]) -> Role:
    """What a caller may do in the scope of these grants."""
    return max([caller.token_role, *(grant.role for grant in grants if grant.subject == caller.subject)])


def require_role(caller: Caller, world_id: str, want: Role, grants: Sequence[Grant]) -> None:
    """Raises PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED). A service's own act was granted at the door."""
    if caller.own_act:
        return
    if caller.worlds is not None and world_id not in caller.worlds:
        raise PermissionDenied(
            "E_WORLD_FORBIDDEN",
            f"the token of {caller.subject} is not for world {world_id!r}",
            hint="use a token whose worlds claim lists it",
            metadata={"world_id": world_id},
        )
    have = effective_role(caller, grants)
    if have < want:
        raise PermissionDenied(
            "E_ROLE_REQUIRED",
            f"{caller.subject} is {have.name.lower()} in world {world_id!r}, want {want.name.lower()}",
            hint=f"ask an owner of {world_id} for a grant",
            metadata={"world_id": world_id, "role": want.name.lower()},
        )


def require_account_role(caller: Caller, account: str, want: Role, grants: Sequence[Grant]) -> None:
    """Raises PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED). A token for some worlds has none there."""
    if caller.own_act:
        return
    if caller.worlds is not None:
        raise PermissionDenied(
            "E_WORLD_FORBIDDEN",
            f"the token of {caller.subject} is for some worlds, and account {account} may be of others",
            hint="use a token without a worlds claim",
        )
    have = effective_role(caller, grants)
    if have < want:
        raise PermissionDenied(
            "E_ROLE_REQUIRED",
            f"{caller.subject} is {have.name.lower()} in account {account!r}, want {want.name.lower()}",
            hint=f"ask an owner of {account} for a grant",
            metadata={"role": want.name.lower()},
        )


def check_revoke(grants: Sequence[Grant], subject: str) -> None:
    """A scope keeps an owner. Raises NotFound (E_GRANT_UNKNOWN), NotReady (E_LAST_OWNER)."""
    mine = [grant for grant in grants if grant.subject == subject]
    if not mine:
        raise NotFound("E_GRANT_UNKNOWN", f"{subject} has no grant here")
    owners = {grant.subject for grant in grants if grant.role is Role.OWNER}
    if owners == {subject}:
        raise NotReady("E_LAST_OWNER", f"{subject} is the last owner", hint="grant another owner first")


def check_regrant(grants: Sequence[Grant], subject: str, role: Role) -> None:
    """Lowering the last owner by a grant is refused like revoking it."""
    owners = {grant.subject for grant in grants if grant.role is Role.OWNER}
    if role is not Role.OWNER and owners == {subject}:
        raise NotReady("E_LAST_OWNER", f"{subject} is the last owner", hint="grant another owner first")
