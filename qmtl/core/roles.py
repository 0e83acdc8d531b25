"""Roles of users: by the token for the whole mesh, by grant for one world or account."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """What a user may do, in the whole mesh by the token or in one scope by grant; NONE is a token without a role."""

    NONE = 0
    READER = 1
    OPERATOR = 2
    OWNER = 3
