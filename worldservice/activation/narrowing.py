"""Decides a world and lowers its activation to the decision, inside one transaction of the caller.

Every write that can change a decision ends with `narrow`, and so does each round of the re-decider; a lower
mode, its revision, epoch, sessions and events are therefore committed together or not at all.
"""

from sqlalchemy import Connection

from worldservice.activation.domain import activation
from worldservice.activation.recording import Narrowed, record_activation
from worldservice.activation.store import activations
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.domain.decision import DecisionSettings, Verdicts, changed
from worldservice.evaluation.events import decision_updated
from worldservice.evaluation.facts import decide_world
from worldservice.tables import outbox
from worldservice.worlds.acts import Act
from worldservice.worlds.domain.world import World
from worldservice.worlds.store import bindings as bindings_store


def narrow(
    conn: Connection, world: World, settings: DecisionSettings, act: Act, verdicts: Verdicts | None = None
) -> Narrowed:
    """Record the decision if it is news, and lower the activation where the decision is lower.

    `verdicts` spares deciding again when the caller has just decided on what is now stored.
    """
    verdicts = verdicts or decide_world(conn, world, settings, act.now)
    if changed(evaluation_store.last_decision(conn, world.world_id), verdicts.decision):
        evaluation_store.append_decision(conn, verdicts.decision)
        outbox.append(conn, decision_updated(verdicts.decision, act))
    if verdicts.tenures:
        evaluation_store.save_tenures(
            conn, world.world_id, evaluation_store.tenures_of(conn, world.world_id), verdicts.tenures
        )
    before = activations.load_activation(conn, world.world_id, world.created_at)
    bindings = bindings_store.active_bindings(conn, world.world_id)
    after = activation.narrowed(before, bindings, verdicts.ceiling_of, act.now, verdicts.terms, verdicts.exit_of)
    return record_activation(conn, world, settings, act, verdicts, before, after)
