"""A scope: one world, or one account with all worlds that draw on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from qmtl.core.errors import refused

NAME_MAX = 63


class ScopeKind(Enum):
    """What a scope is."""

    WORLD = "world"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """What a snapshot and its report are about. As text `world:<id>` or `account:<name>`, as in role grants."""

    text: str

    @property
    def kind(self) -> ScopeKind:
        """World or account."""
        return ScopeKind(self.text.partition(":")[0])

    @property
    def name(self) -> str:
        """The world id or the account's name."""
        return self.text.partition(":")[2]

    def __str__(self) -> str:
        return self.text


def parse_scope(text: str, field: str = "scope") -> Scope:
    """A scope from its text. Raises InvalidRequest (E_FIELD)."""
    kind, _, name = text.partition(":")
    if kind not in ("world", "account") or not 0 < len(name) <= NAME_MAX or not name.isprintable():
        raise refused("E_FIELD", field, text or "empty", "world:<id> or account:<name>")
    return Scope(text)


def world_scope(world_id: str) -> Scope:
    """The scope of a world."""
    return Scope(f"world:{world_id}")


def account_scope(account: str) -> Scope:
    """The scope of an account."""
    return Scope(f"account:{account}")
