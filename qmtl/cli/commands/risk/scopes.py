"""How a scope and a stage of risk are written on the command line."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, TypedDict

import typer

from qmtl.core.errors import refused
from qmtl.risk.v1 import risk_pb2 as riskpb

ScopeName = Annotated[
    str, typer.Argument(metavar="SCOPE", help="world:<id> or account:<name>; a bare name is a world.")
]


class StageName(Enum):
    """Which trading, as people write it."""

    ANY = "any"
    PAPER = "paper"
    LIVE = "live"


Stage = Annotated[StageName, typer.Option(help="Of which trading; any: the newest snapshot.")]
_STAGES = {
    StageName.ANY: riskpb.RISK_STAGE_UNSPECIFIED,
    StageName.PAPER: riskpb.RISK_STAGE_PAPER,
    StageName.LIVE: riskpb.RISK_STAGE_LIVE,
}


def stage_number(stage: StageName) -> riskpb.RiskStage:
    """The stage in messages."""
    return _STAGES[stage]


class ScopeFields(TypedDict, total=False):
    """The one field of a request that names its scope."""

    world_id: str
    account: str


def scope_fields(text: str) -> ScopeFields:
    """The fields of a request that name the scope. Raises InvalidRequest (E_FIELD)."""
    kind, mark, name = text.partition(":")
    if not mark:
        return {"world_id": text}
    if kind not in ("world", "account") or not name:
        raise refused("E_FIELD", "SCOPE", text, "world:<id>, account:<name>, or a world id")
    return {"world_id": name} if kind == "world" else {"account": name}
