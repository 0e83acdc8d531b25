"""Starts an apply: what is asked for is checked against the decision and every subject's blocks, then recorded.

The one way into an apply, for who calls Apply and for a promotion alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from qmtl.core.errors import Conflict, NotReady
from qmtl.core.roles import Role
from worldservice.activation.domain.activation import Entry
from worldservice.activation.domain.hold import refuse_held
from worldservice.activation.store import activations
from worldservice.activation.store.holds import find_hold
from worldservice.apply import steps as apply_steps
from worldservice.apply import store
from worldservice.apply.domain import targets as targets_domain
from worldservice.apply.domain.run import SHUT, ApplyRun
from worldservice.apply.domain.targets import Target, entering_live, raised_live
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.evaluation.facts import decide_world
from worldservice.policy.store import policy_of
from worldservice.worlds.acts import Act, audit_write, world_to_write
from worldservice.worlds.domain.block import Block, refuse_blocked
from worldservice.worlds.domain.world import World, require_active, require_etag
from worldservice.worlds.live_blocks import LiveBlocks, WeightBlocks, no_weight_blocks
from worldservice.worlds.store import bindings as bindings_store


@dataclass(frozen=True, slots=True)
class ApplyStarter:
    """`blocks` are asked of whoever an apply newly takes live, `weights` of every weight that it raises live."""

    settings: DecisionSettings
    blocks: tuple[LiveBlocks, ...] = ()
    weights: WeightBlocks = no_weight_blocks

    def start(self, conn: Connection, act: Act, asked: ApplyRun, etag: str, *, evaluate: bool) -> ApplyRun:
        world = world_to_write(conn, act, Role.OPERATOR)
        known = known_run(conn, asked)
        if known is not None:
            audit_write(conn, act, f"{known.run_id} again: {known.state.value}")
            return known
        require_active(world)
        last = store.last_run(conn, world.world_id)
        if last is not None and last.ended_at is None:
            raise NotReady(
                "E_APPLY_RUNNING",
                f"apply {last.run_id} of world {world.world_id} is {last.state.value}",
                hint="watch it to its end, then ask again",
                metadata={"run_id": last.run_id},
            )
        if last is not None and last.is_by_hand and last.state in SHUT:
            refuse_held(world.world_id, find_hold(conn, world.world_id))
        before = activations.load_activation(conn, world.world_id, world.created_at)
        require_etag(etag, before.etag, f"activation of {world.world_id}")
        policy = policy_of(conn, world)
        standing = last.before if last is not None and last.state in SHUT else before.entries
        run = replace(
            asked,
            targets=self._targets(conn, act, world, asked.targets, standing, evaluate=evaluate),
            before=last.before if last is not None and last.state in SHUT else (),
            freeze_timeout=None if policy is None else policy.gating.freeze_timeout,
        )
        apply_steps.begin(conn, run, f"asked for by {run.requested_by}", act.now)
        audit_write(conn, act, f"{run.run_id} requested with {len(run.targets)} targets")
        return run

    def _targets(
        self,
        conn: Connection,
        act: Act,
        world: World,
        asked: tuple[Target, ...],
        standing: tuple[Entry, ...],
        *,
        evaluate: bool,
    ) -> tuple[Target, ...]:
        """Those asked for if they could be switched to now; or those that the policy selects of what stands."""
        verdicts = decide_world(conn, world, self.settings, act.now).promoted()
        bindings = bindings_store.active_bindings(conn, world.world_id)
        if evaluate:
            return targets_domain.evaluated_targets(verdicts, bindings, standing)
        found: list[Block] = []
        if entering := entering_live(asked, standing):
            for blocks in self.blocks:
                found += blocks(conn, world, entering, act.now, switching=False)
        if raised := raised_live(asked, standing):
            found += self.weights(conn, world, raised, act.now)
        refuse_blocked(found)
        targets_domain.check_targets(asked, bindings, verdicts)
        return asked


def known_run(conn: Connection, asked: ApplyRun) -> ApplyRun | None:
    """The run on record under this id, or None. Raises Conflict (E_RUN_EXISTS) for one that was asked otherwise."""
    known = store.find_run(conn, asked.world_id, asked.run_id)
    if known is not None and known.content != asked.content:
        raise Conflict(
            "E_RUN_EXISTS", f"apply {asked.run_id} was asked for with another plan", hint="choose another run_id"
        )
    return known
