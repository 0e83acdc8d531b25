"""Which verified callers may make a call at all; what they may do in a world is the service's to say."""

from __future__ import annotations

from qmtl.core.errors import PermissionDenied, Unauthenticated
from qmtl.rpc.auth.identity import Identity, ServiceIdentity
from qmtl.rpc.rules import grants
from qmtl.rpc.rules.methods import Audience, MethodRule


def authorise(rule: MethodRule, identity: Identity | None, service: ServiceIdentity | None, *, edge: bool) -> None:
    """Decide whether verified callers may make this call; what they may do in a world is the service's to say.

    Raises Unauthenticated (E_TOKEN_MISSING) or PermissionDenied (E_SERVICE_REQUIRED, E_GRANT_REQUIRED).
    """
    if rule.audience is Audience.OPEN:
        return
    if identity is None and service is None:
        raise Unauthenticated(
            "E_TOKEN_MISSING", "no token came with the call", hint="send metadata authorization: Bearer <token>"
        )
    if rule.audience is Audience.ANY_TOKEN:
        return
    if rule.audience is Audience.PUBLIC and edge:
        if identity is None:
            raise Unauthenticated(
                "E_TOKEN_MISSING", "the gateway serves users", hint="send metadata authorization: Bearer <user token>"
            )
        return
    if service is None:
        raise PermissionDenied(
            "E_SERVICE_REQUIRED",
            f"{rule.name} is reached through the gateway, or with a service token",
            hint="call the gateway's address",
        )
    _require_grant(rule, identity, service)


def _require_grant(rule: MethodRule, identity: Identity | None, service: ServiceIdentity) -> None:
    forwards = rule.audience is Audience.PUBLIC and identity is not None and grants.is_known(service.name)
    if not forwards and not grants.allows(service.name, rule.name, read=rule.read):
        raise PermissionDenied(
            "E_GRANT_REQUIRED",
            f"service {service.name} has no grant for {rule.name}",
            hint="a change to it needs a user's own token beside the service token"
            if rule.audience is Audience.PUBLIC
            else "only services whose grant names this call may make it",
            metadata={"service": service.name},
        )
