"""Roles in worlds: asked once per allowance, kept no longer, and never wider while worldservice is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from qmtl.core.clock import VirtualClock
from qmtl.core.errors import NotFound, PermissionDenied, QmtlError, Unauthenticated, Unavailable
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import Call, enter_call
from qmtl.rpc.auth.identity import Identity, ServiceIdentity
from qmtl.rpc.auth.roles import WorldRoles

TTL_S = 30


@dataclass
class Request:
    world_id: str = ""
    account: str = ""


@dataclass
class Answer:
    role: int
    ttl: Duration


class Worlds:
    """worldservice's side: grants by world, and every question it was asked."""

    def __init__(self, grants: dict[str, Role]) -> None:
        self.grants = grants
        self.asked: list[str] = []
        self.away = False

    async def get_effective_role(self, request: Request, timeout: float | None = None) -> Answer:  # noqa: ASYNC109 - as a stub's method
        scope = request.world_id or f"account:{request.account}"
        self.asked.append(scope)
        if self.away:
            raise Unavailable("E_UNAVAILABLE", "away")
        if scope not in self.grants:
            raise NotFound("E_WORLD_UNKNOWN", "no such world")
        ttl = Duration()
        ttl.FromTimedelta(timedelta(seconds=TTL_S))
        return Answer(int(self.grants[scope]), ttl)


def roles_of(grants: dict[str, Role]) -> tuple[WorldRoles, Worlds, VirtualClock]:
    clock, worlds = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC)), Worlds(grants)
    return WorldRoles(worlds.get_effective_role, Request, clock), worlds, clock


def calling(role: Role = Role.NONE, worlds: frozenset[str] | None = None) -> None:
    enter_call(Call(identity=Identity("ann", role, worlds, f"token-{role.name}")))


async def refusal(waiting: Awaitable[object]) -> QmtlError:
    with pytest.raises(QmtlError) as caught:
        await waiting
    return caught.value


async def test_a_token_with_the_role_asks_nobody() -> None:
    roles, worlds, _ = roles_of({})
    calling(Role.OPERATOR)
    await roles.require("w1", Role.OPERATOR)
    assert worlds.asked == []


async def test_a_grant_is_asked_for_once_and_kept_for_its_allowance() -> None:
    roles, worlds, clock = roles_of({"w1": Role.OPERATOR})
    calling()
    for _ in range(3):
        await roles.require("w1", Role.OPERATOR)
    assert worlds.asked == ["w1"]
    worlds.grants["w1"] = Role.NONE
    clock.advance(TTL_S + 1)
    assert isinstance(await refusal(roles.require("w1", Role.READER)), PermissionDenied)
    assert worlds.asked == ["w1", "w1"]


async def test_a_refusal_is_not_kept_so_that_a_grant_works_at_once() -> None:
    roles, worlds, _ = roles_of({})
    calling()
    assert (await refusal(roles.require("w1", Role.READER))).reason == "E_ROLE_REQUIRED"
    worlds.grants["w1"] = Role.READER
    await roles.require("w1", Role.READER)


async def test_an_unknown_world_is_named_where_worlds_must_be_known() -> None:
    roles, _, _ = roles_of({})
    calling(Role.OWNER)
    await roles.require("w1", Role.READER)
    assert (await refusal(roles.require_known("w1", Role.READER))).reason == "E_WORLD_UNKNOWN"


async def test_a_token_for_other_worlds_is_refused_unasked() -> None:
    roles, worlds, _ = roles_of({"w1": Role.OWNER})
    calling(Role.OWNER, frozenset({"w2"}))
    for check in (roles.require, roles.require_known):
        assert (await refusal(check("w1", Role.READER))).reason == "E_WORLD_FORBIDDEN"
    assert worlds.asked == []


async def test_each_of_several_worlds_is_demanded_and_none_means_all() -> None:
    roles, _, _ = roles_of({"w1": Role.OPERATOR, "w2": Role.READER})
    calling()
    assert (await refusal(roles.require_each(["w1", "w2"], Role.OPERATOR))).metadata["world_id"] == "w2"
    assert (await refusal(roles.require_each([], Role.READER))).reason == "E_ROLE_REQUIRED"
    calling(Role.READER, frozenset({"w1"}))
    assert (await refusal(roles.require_each([], Role.READER))).reason == "E_WORLD_FORBIDDEN"
    calling(Role.READER)
    await roles.require_each([], Role.READER)


async def test_away_means_refused_but_a_cancel_goes_by_what_was_last_heard() -> None:
    roles, worlds, clock = roles_of({"w1": Role.OPERATOR})
    calling()
    await roles.require_known("w1", Role.OPERATOR)
    worlds.away = True
    clock.advance(TTL_S + 1)
    assert isinstance(await refusal(roles.require("w1", Role.OPERATOR)), Unavailable)
    assert await roles.require_for_cancel("w1") == "ann"
    assert (await refusal(roles.require_for_cancel("w2"))).reason == "E_ROLE_REQUIRED"


@pytest.mark.parametrize("check", [lambda roles: roles.require_known, lambda roles: roles.require_for_cancel])
async def test_a_service_is_no_user(check: Callable[[WorldRoles], Callable[..., Awaitable[str]]]) -> None:
    roles, _, _ = roles_of({"w1": Role.OWNER})
    enter_call(Call(service=ServiceIdentity("gateway")))
    arguments = (Role.READER,) if check(roles) == roles.require_known else ()
    assert isinstance(await refusal(check(roles)("w1", *arguments)), Unauthenticated)
    await roles.require("w1", Role.OWNER)


async def test_a_grant_in_an_account_is_no_grant_in_a_world() -> None:
    roles, worlds, _ = roles_of({"account:acc": Role.OPERATOR})
    calling()
    assert await roles.holds_in_account("acc", Role.OPERATOR)
    assert not await roles.holds_in_account("acc", Role.OWNER)
    assert not await roles.holds_in_account("other", Role.READER)
    assert (await refusal(roles.require("acc", Role.READER))).reason == "E_ROLE_REQUIRED"
    asked = len(worlds.asked)
    calling(Role.OWNER, frozenset({"w1"}))
    assert not await roles.holds_in_account("acc", Role.READER)
    assert len(worlds.asked) == asked
