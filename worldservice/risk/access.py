"""Who may do what in a scope, and what a reader of an account may not see: names of strategies in worlds of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from qmtl.core.errors import refused
from qmtl.core.roles import Role
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.wire.fields import require_text
from worldservice.risk.domain.exposure import world_of_id
from worldservice.risk.domain.report import StrategyRisk
from worldservice.risk.domain.scope import NAME_MAX, Scope, ScopeKind, account_scope, world_scope
from worldservice.risk.domain.snapshot import CASH, Exposure
from worldservice.worlds.acts import Act, unread_worlds, world_to_read, world_to_write
from worldservice.worlds.domain.roles import Caller, require_account_role
from worldservice.worlds.store.roles import grants_of


def scope_of(request: object) -> Scope:
    """The scope that a request names. Raises InvalidRequest (E_FIELD) for none."""
    which = request.WhichOneof("scope")  # type: ignore[attr-defined]  # each request of the service has it
    if which == "account":
        return account_scope(require_text(request.account, "account", NAME_MAX))  # type: ignore[attr-defined]  # as above
    if which == "world_id":
        return world_scope(request.world_id)  # type: ignore[attr-defined]  # as above
    raise refused("E_FIELD", "scope", "empty", "world_id or account")


def scoped(act: Act, scope: Scope) -> Act:
    """The act as it is audited: what is done in an account is no world's."""
    return replace(act, world_id=scope.name if scope.kind is ScopeKind.WORLD else scope.text)


def require_reader(conn: Connection, caller: Caller, scope: Scope, want: Role = Role.READER) -> None:
    """Raises PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED), NotFound (E_WORLD_UNKNOWN)."""
    if scope.kind is ScopeKind.WORLD:
        world_to_read(conn, caller, scope.name, want)
    else:
        require_account_role(caller, scope.name, want, () if caller.own_act else grants_of(conn, scope.text))


def require_writer(conn: Connection, act: Act, scope: Scope, want: Role = Role.OPERATOR) -> None:
    """As require_reader, of a write: the world's row is held until the transaction ends."""
    if scope.kind is ScopeKind.WORLD:
        world_to_write(conn, act, want)
    else:
        require_reader(conn, act.caller, scope, want)


def hidden_worlds(conn: Connection, caller: Caller, scope: Scope, ids: Iterable[str]) -> frozenset[str]:
    """Worlds of an account's strategies in which the caller may not read; none in the scope of a world."""
    if scope.kind is ScopeKind.WORLD:
        return frozenset()
    return unread_worlds(conn, caller, (world_of_id(scope, name) for name in ids if name != CASH))


def shown_id(scope: Scope, strategy_id: str, hidden: frozenset[str]) -> str:
    """The id, or its world where the name is not shown."""
    world = world_of_id(scope, strategy_id)
    return world if world in hidden else strategy_id


def shown_strategies(scope: Scope, rows: Iterable[StrategyRisk], hidden: frozenset[str]) -> list[StrategyRisk]:
    """The rows of a report with those of hidden worlds summed up."""
    found: dict[str, StrategyRisk] = {}
    for row in rows:
        name = shown_id(scope, row.strategy_id, hidden)
        known = found.get(name)
        if name == row.strategy_id:
            found[name] = row
        elif known is None:
            found[name] = replace(row, strategy_id=name, vol=None, drawdown=None)
        else:
            found[name] = replace(
                known,
                weight=known.weight + row.weight,
                component=_sum(known.component, row.component),
                component_share=_sum(known.component_share, row.component_share),
            )
    return list(found.values())


def shown_exposures(scope: Scope, rows: Iterable[Exposure], hidden: frozenset[str]) -> list[Exposure]:
    """Exposures with the names of hidden worlds' strategies replaced by their world."""
    return [replace(row, strategy_id=shown_id(scope, row.strategy_id, hidden)) for row in rows]


def shown_snapshot(message: riskpb.RiskSnapshot, scope: Scope, hidden: frozenset[str]) -> riskpb.RiskSnapshot:
    """A snapshot whose strategies of hidden worlds are summed to weights, with nothing else of them."""
    if not hidden:
        return message
    weights: dict[str, float] = {}
    for one in message.weights:
        name = one.id if one.id == CASH else shown_id(scope, one.id, hidden)
        weights[name] = weights.get(name, 0.0) + one.share
    series = [one for one in message.returns if world_of_id(scope, one.id) not in hidden]
    exposures = [one for one in message.exposures if world_of_id(scope, one.strategy_id) not in hidden]
    for field in ("weights", "returns", "exposures", "covariance", "returns_ref", "covariance_ref"):
        message.ClearField(field)
    message.weights.extend(riskpb.RiskWeight(id=name, share=share) for name, share in weights.items())
    message.returns.extend(series)
    message.exposures.extend(exposures)
    return message


def names_of(weights: Mapping[str, float]) -> list[str]:
    """The strategies of weights, without cash."""
    return [name for name in weights if name != CASH]


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
