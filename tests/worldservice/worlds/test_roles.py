"""Roles add up, and a world keeps an owner."""

from __future__ import annotations

import pytest

from qmtl.core.errors import NotFound, NotReady, PermissionDenied
from qmtl.core.roles import Role
from tests.worldservice.samples import NOW
from worldservice.worlds.domain.roles import Caller, Grant, check_regrant, check_revoke, effective_role, require_role


def grant(subject: str, role: Role) -> Grant:
    return Grant("world:alpha", subject, role, "ann", NOW)


def test_the_higher_of_token_and_grant_holds() -> None:
    grants = [grant("ann", Role.OWNER), grant("bob", Role.READER)]
    assert effective_role(Caller("ann", Role.READER), grants) is Role.OWNER
    assert effective_role(Caller("bob", Role.OPERATOR), grants) is Role.OPERATOR
    assert effective_role(Caller("eve", Role.NONE), grants) is Role.NONE
    with pytest.raises(PermissionDenied):
        require_role(Caller("bob", Role.READER), "alpha", Role.OPERATOR, grants)


def test_a_token_for_other_worlds_is_refused_whatever_its_role() -> None:
    caller = Caller("ann", Role.OWNER, frozenset({"beta"}))
    with pytest.raises(PermissionDenied) as caught:
        require_role(caller, "alpha", Role.READER, [grant("ann", Role.OWNER)])
    assert caught.value.reason == "E_WORLD_FORBIDDEN"


def test_a_world_keeps_an_owner() -> None:
    grants = [grant("ann", Role.OWNER), grant("bob", Role.READER)]
    check_revoke(grants, "bob")
    with pytest.raises(NotReady):
        check_revoke(grants, "ann")
    with pytest.raises(NotReady):
        check_regrant(grants, "ann", Role.READER)
    with pytest.raises(NotFound):
        check_revoke(grants, "eve")
    check_revoke([*grants, grant("cid", Role.OWNER)], "ann")
