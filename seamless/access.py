"""Who may touch a data session.

worldservice names a world's sessions `<world>-<domain>-<12 hex>`, so a token that is limited to worlds is held to
theirs by the name; a session of any other name is for tokens without such a limit.
"""

from __future__ import annotations

import re

from qmtl.rpc.auth import Role
from qmtl.rpc.context import require_role, require_world

_OF_A_WORLD = re.compile(r"(?P<world>.+)-(dryrun|live)-[0-9a-f]{12}", re.ASCII)


def require_session(session_id: str, role: Role = Role.NONE) -> None:
    """Demand that the caller may act on a session. Raises PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED)."""
    named = _OF_A_WORLD.fullmatch(session_id)
    require_world(named["world"] if named else "")
    require_role(role)
