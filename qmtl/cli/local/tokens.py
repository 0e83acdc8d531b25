"""Keys and tokens of a local mesh, written into its home."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

TOKEN_TTL = timedelta(days=7)
CAMPAIGN_LOOP = "campaign-loop"  # the subject of `qmtl campaign loop`


def user_token(home: Path) -> str:
    """The reader's token, as `prepare_tokens` wrote it."""
    from qmtl.config.home import user_token_path
    from qmtl.core.roles import Role

    return user_token_path(home, Role.READER).read_text(encoding="ascii").strip()


def prepare_tokens(home: Path) -> None:
    """Keys of the dev issuer, fresh user tokens of every role and of the loop, and the operator service token."""
    from qmtl.config.files import write_private
    from qmtl.config.home import subject_token_path, user_token_path
    from qmtl.core.roles import Role
    from qmtl.rpc.auth.keys import ensure_dev_keys
    from qmtl.rpc.auth.tokens import ensure_service_token, mint_user_token

    ensure_dev_keys(home)
    ensure_service_token(home, "operator")
    for role in (Role.READER, Role.OPERATOR, Role.OWNER):
        token = mint_user_token(home, role, f"dev-{role.name.lower()}", ttl=TOKEN_TTL)
        write_private(user_token_path(home, role), token)
    loop = mint_user_token(home, Role.OPERATOR, CAMPAIGN_LOOP, ttl=TOKEN_TTL)
    write_private(subject_token_path(home, CAMPAIGN_LOOP), loop)
