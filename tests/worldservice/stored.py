"""A world in a store, in which one strategy trades on paper: what tests of the transactions begin with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from qmtl.sql.database import Database, sqlite_url
from qmtl.world.v1 import activation_pb2 as activationpb
from tests.support.shared.stores import lay_store
from tests.worldservice.samples import DOCUMENT, NOW, binding, evidence, world
from worldservice.activation.domain.activation import Activation, confirm, empty
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.activation.recording import record_activation
from worldservice.activation.store import activations
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.evaluation.domain.runs import EvaluationRun
from worldservice.evaluation.facts import decide_world
from worldservice.policy import store as policy_store
from worldservice.policy.domain.policy import parse_policy
from worldservice.policy.domain.versions import PolicyRecord, PolicyStatus
from worldservice.worlds.acts import own_act
from worldservice.worlds.domain.binding import Side, Stage
from worldservice.worlds.domain.world import World
from worldservice.worlds.store import bindings, worlds

SETTINGS = DecisionSettings((), timedelta(seconds=300))
ACT = own_act("Test", "alpha", NOW)


@asynccontextmanager
async def open_store(folder: Path) -> AsyncIterator[Database]:
    """An empty store on SQLite."""
    url = sqlite_url(folder / "worldservice.db")
    lay_store(url, "worldservice")
    db = Database(url, synchronous="NORMAL")
    await db.migrate("worldservice:migrations")
    try:
        yield db
    finally:
        await db.close()


def put_policy(conn: Connection, alpha: World, document: str = DOCUMENT) -> World:
    """The world with a document as its next and default version."""
    version = policy_store.next_policy_version(conn, alpha.world_id)
    checksum = parse_policy(document).checksum
    record = PolicyRecord(alpha.world_id, version, document, checksum, PolicyStatus.ACTIVE, "ann", NOW, NOW)
    policy_store.insert_policy(conn, record)
    changed = replace(alpha, default_policy_version=version, revision=alpha.revision + 1)
    worlds.update_world(conn, changed)
    return changed


def add_strategy(conn: Connection, name: str, stage: Stage = Stage.BACKTEST) -> None:
    """Bound, and evaluated with good numbers."""
    bindings.save_binding(conn, binding(name, stage))
    run = EvaluationRun("alpha", name, 1, evidence(), None, Stage.PAPER, "ann", NOW)
    evaluation_store.append_run(conn, run)


def make_trading(conn: Connection) -> World:
    """World alpha with strategy s, long, active on paper, under a fence that brokerage has confirmed."""
    worlds.insert_world(conn, world())
    alpha = put_policy(conn, world())
    add_strategy(conn, "s", Stage.PAPER)
    before = empty("alpha", alpha.created_at)
    verdicts = decide_world(conn, alpha, SETTINGS, NOW)
    change = Change("s", Side.LONG, active=True, stage=Stage.PAPER)
    bound = bindings.active_bindings(conn, "alpha")
    after, _ = change_activation(before, [change], bound, verdicts.ceiling_of, NOW, verdicts.terms, verdicts.exit_of)
    record_activation(conn, alpha, SETTINGS, ACT, verdicts, before, after)
    confirm_fence(conn)
    return alpha


def confirm_fence(conn: Connection) -> None:
    """As if brokerage had answered."""
    held = load(conn)
    activations.save_activation(conn, confirm(held, held.fence.epoch))


def load(conn: Connection) -> Activation:
    return activations.load_activation(conn, "alpha", NOW)


def history(conn: Connection) -> list[activationpb.ActivationEnvelope]:
    """Every envelope that was published."""
    rows = activations.history_after(conn, "alpha", 0, 1000)
    return [activationpb.ActivationEnvelope.FromString(row) for row in rows]
