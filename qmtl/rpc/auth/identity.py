"""Who a verified token names: a user or a service of the mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qmtl.core.roles import Role

TokenSource = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified user. `worlds` is None when the token is not limited to some; `token` is forwarded, never logged."""

    subject: str
    role: Role
    worlds: frozenset[str] | None
    token: str

    def __repr__(self) -> str:
        return f"Identity({self.subject}, {self.role.name})"


@dataclass(frozen=True, slots=True)
class ServiceIdentity:
    """A verified service of the mesh, by its short name ("gateway")."""

    name: str
