"""The store on SQLite and on PostgreSQL: what goes in comes out, and the migration makes what the code expects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from qmtl.core.errors import NotFound, QmtlError
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from qmtl.core.paging import Page
from qmtl.core.roles import Role
from qmtl.sql.database import Database
from tests.worldservice.samples import DOCUMENT, NOW, binding, candidate, evidence, fresh, world
from worldservice.activation.domain.activation import Activation, FenceState, confirm, empty
from worldservice.activation.domain.gate_session import GateSession
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.activation.narrowing import narrow
from worldservice.activation.recording import Narrowed
from worldservice.activation.store import activations, gates
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.domain.decision import DecisionSettings, WorldFacts, decide
from worldservice.evaluation.domain.runs import EvaluationRun
from worldservice.policy import store as policy_store
from worldservice.policy.domain.policy import parse_policy
from worldservice.policy.domain.versions import PolicyRecord, PolicyStatus
from worldservice.worlds.acts import own_act
from worldservice.worlds.domain.audit import AuditRow
from worldservice.worlds.domain.binding import Side, Stage
from worldservice.worlds.domain.roles import Grant
from worldservice.worlds.domain.session import SessionPlan, open_session
from worldservice.worlds.store import audit, bindings, roles, sessions, worlds


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, synchronous="NORMAL")
    await database.migrate("worldservice:migrations")
    yield database
    await database.close()


def trading() -> Activation:
    changes = [Change("s", Side.LONG, active=True, stage=Stage.PAPER), Change("s", Side.SHORT, weight=0.25)]
    return change_activation(empty("alpha", NOW), changes, {"s": binding("s")}, lambda *_: EffectiveMode.PAPER, NOW)[0]


def run(run_id: str, strategy_id: str = "s", revision: int = 1) -> EvaluationRun:
    facts = WorldFacts(world(), parse_policy(DOCUMENT), (candidate(strategy_id),), fresh(), replay=False)
    report = decide(facts, NOW).reports[strategy_id]
    return EvaluationRun("alpha", strategy_id, revision, evidence(run_id=run_id), report, Stage.PAPER, "ann", NOW)


async def test_a_world_comes_out_as_it_went_in(db: Database) -> None:
    alpha = replace(world(allow_live=True), labels={"a": "b"}, data_presets=("demo.btc.15m", "x"))
    await db.write(lambda conn: worlds.insert_world(conn, alpha))
    assert await db.read(lambda conn: worlds.get_world(conn, "alpha")) == alpha
    changed = replace(alpha, name="Ä 你好", revision=2, updated_at=NOW + timedelta(microseconds=1))
    await db.write(lambda conn: worlds.update_world(conn, changed))
    assert await db.write(lambda conn: worlds.lock_world(conn, "alpha")) == changed
    for missing in ("beta", "\x00", "' or 1=1"):
        with pytest.raises(NotFound):
            await db.read(lambda conn, missing=missing: worlds.get_world(conn, missing))  # type: ignore[misc]  # mypy cannot infer a lambda with a default


async def test_policies_bindings_and_grants_come_out_as_they_went_in(db: Database) -> None:
    record = PolicyRecord("alpha", 1, DOCUMENT, "blake3:1", PolicyStatus.DRAFT, "ann", NOW, None)
    grant = Grant("world:alpha", "ann", Role.OWNER, "ann", NOW)

    def fill(conn: Connection) -> None:
        policy_store.insert_policy(conn, record)
        policy_store.insert_policy(conn, replace(record, version=2, checksum="blake3:2"))
        bindings.save_binding(conn, binding("s"))
        bindings.save_binding(conn, replace(binding("s"), stage=Stage.PAPER))
        roles.save_grant(conn, replace(grant, role=Role.READER))
        roles.save_grant(conn, grant)
        policy_store.activate_policy(conn, "alpha", 1, NOW)
        policy_store.activate_policy(conn, "alpha", 2, NOW)

    await db.write(fill)
    listed = await db.read(lambda conn: policy_store.list_policies(conn, "alpha", Page(10)))
    assert [(r.version, r.status) for r in listed] == [(2, PolicyStatus.ACTIVE), (1, PolicyStatus.DEPRECATED)]
    assert listed[0].valid_from == NOW
    assert await db.read(lambda conn: policy_store.list_policies(conn, "alpha", Page(10, (2,)))) == listed[1:]
    assert await db.read(lambda conn: policy_store.next_policy_version(conn, "alpha")) == 3
    assert await db.read(lambda conn: policy_store.find_policy_by_checksum(conn, "alpha", "blake3:2")) == listed[0]
    assert await db.read(lambda conn: bindings.active_bindings(conn, "alpha")) == {
        "s": replace(binding("s"), stage=Stage.PAPER)
    }
    assert await db.read(lambda conn: roles.grants_of(conn, "world:alpha")) == [grant]
    assert await db.read(lambda conn: roles.worlds_granted(conn, "ann")) == {"alpha"}


async def test_an_activation_comes_out_as_it_went_in_with_its_hash(db: Database) -> None:
    activation = trading()
    await db.write(lambda conn: activations.save_activation(conn, activation))
    loaded = await db.read(lambda conn: activations.load_activation(conn, "alpha", NOW))
    assert loaded == activation
    assert loaded.state_hash == activation.state_hash
    assert await db.read(activations.pending_fences) == ["alpha"]
    assert await db.read(activations.trading_worlds) == ["alpha"]
    await db.write(lambda conn: activations.confirm_epoch(conn, "alpha", 7))
    assert await db.read(activations.pending_fences) == ["alpha"]
    await db.write(lambda conn: activations.confirm_epoch(conn, "alpha", 1))
    assert await db.read(lambda conn: activations.load_activation(conn, "alpha", NOW)) == confirm(activation, 1)
    assert await db.read(lambda conn: activations.load_activation(conn, "beta", NOW)) == empty("beta", NOW)


async def test_a_world_has_one_open_session_per_domain(db: Database) -> None:
    plan = SessionPlan(NOW, "demo.btc.15m", "blake3:data")
    first = open_session("alpha", ExecutionDomain.DRYRUN, plan, NOW)
    second = open_session("alpha", ExecutionDomain.DRYRUN, plan, NOW + timedelta(seconds=1))
    await db.write(lambda conn: sessions.save_session(conn, first))
    with pytest.raises((IntegrityError, QmtlError)):
        await db.write(lambda conn: sessions.save_session(conn, second))
    closed = replace(first, watermark=NOW + timedelta(hours=1), closed_at=NOW + timedelta(hours=2))
    await db.write(lambda conn: sessions.save_session(conn, closed))
    await db.write(lambda conn: sessions.save_session(conn, second))
    assert await db.read(lambda conn: sessions.open_sessions(conn, "alpha")) == (second,)
    assert await db.read(lambda conn: sessions.get_session(conn, first.session_id)) == closed


async def test_runs_are_appended_and_read_at_their_latest_revision(db: Database) -> None:
    def fill(conn: Connection) -> None:
        for item in (run("r1"), run("r2"), run("r1", revision=2), run("r9", "t")):
            evaluation_store.append_run(conn, item)

    await db.write(fill)
    assert await db.read(lambda conn: evaluation_store.get_run(conn, "alpha", "s", "r1")) == run("r1", revision=2)
    listed = await db.read(lambda conn: evaluation_store.list_runs(conn, "alpha", "", Page(10)))
    assert [item.evidence.run_id for _, item in listed] == ["r9", "r1", "r2"]
    after = listed[0][0]
    rest = Page(10, (after, after))
    assert await db.read(lambda conn: evaluation_store.list_runs(conn, "alpha", "s", rest)) == listed[1:]
    await db.write(lambda conn: evaluation_store.append_run(conn, run("r2", revision=2)))  # between two pages
    assert await db.read(lambda conn: evaluation_store.list_runs(conn, "alpha", "s", rest)) == listed[1:]
    await db.write(lambda conn: evaluation_store.append_run(conn, run("r3")))
    newest = await db.read(lambda conn: evaluation_store.list_runs(conn, "alpha", "", Page(10)))
    assert [item.evidence.run_id for _, item in newest] == ["r3", "r2", "r9", "r1"]
    latest = await db.read(lambda conn: evaluation_store.latest_evidence(conn, "alpha", Stage.BACKTEST))
    assert {name: item.run_id for name, item in latest.items()} == {"s": "r3", "t": "r9"}
    assert await db.read(lambda conn: evaluation_store.latest_evidence(conn, "alpha", Stage.PAPER)) == {}
    with pytest.raises((IntegrityError, QmtlError)):
        await db.write(lambda conn: evaluation_store.append_run(conn, run("r1")))


async def test_the_last_decision_is_read_back_with_its_etag(db: Database) -> None:
    facts = WorldFacts(world(), parse_policy(DOCUMENT), (candidate("s"),), fresh(), replay=False)
    decision = decide(facts, NOW).decision
    await db.write(lambda conn: evaluation_store.append_decision(conn, decision))
    loaded = await db.read(lambda conn: evaluation_store.last_decision(conn, "alpha"))
    assert loaded == decision
    assert loaded.etag == decision.etag
    assert await db.read(lambda conn: evaluation_store.last_decision(conn, "beta")) is None


async def test_gate_sessions_are_one_per_gateway(db: Database) -> None:
    gate = GateSession("g1", "b1", NOW, {"alpha": 3}, NOW)
    await db.write(lambda conn: gates.save_gate(conn, gate))
    await db.write(lambda conn: gates.save_gate(conn, replace(gate, boot_id="b2")))
    assert await db.write(lambda conn: gates.find_gate(conn, "g1")) == replace(gate, boot_id="b2")
    assert await db.read(lambda conn: gates.count_gates(conn, NOW)) == 1
    await db.write(lambda conn: gates.clamp_gates(conn, NOW))
    assert await db.write(lambda conn: gates.find_gate(conn, "g1")) == replace(gate, boot_id="b2")
    earlier = NOW - timedelta(hours=1)  # the clock was set back
    await db.write(lambda conn: gates.clamp_gates(conn, earlier))
    assert await db.write(lambda conn: gates.find_gate(conn, "g1")) == replace(gate, boot_id="b2", renewed_at=earlier)
    await db.write(lambda conn: gates.save_gate(conn, gate))
    await db.write(lambda conn: gates.prune_gates(conn, NOW + timedelta(seconds=1)))
    assert await db.read(lambda conn: gates.count_gates(conn, NOW)) == 0


async def test_the_audit_log_is_read_newest_first_and_cut_to_a_bound(db: Database) -> None:
    row = AuditRow(0, "alpha", "ann", "PutPolicy", "x" * 99_999, "OK", "done", "c", NOW)
    for number in range(3):
        await db.write(lambda conn, number=number: audit.append_audit(conn, replace(row, detail=str(number))))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    listed = await db.read(lambda conn: audit.list_audit(conn, "alpha", Page(2)))
    assert [entry.detail for entry in listed] == ["2", "1", "0"]
    assert len(listed[0].request) == audit.REQUEST_MAX
    rest = await db.read(lambda conn: audit.list_audit(conn, "alpha", Page(2, (listed[1].sequence,))))
    assert [entry.detail for entry in rest] == ["0"]


async def test_writes_on_one_world_do_not_interleave(db: Database) -> None:
    """Without the lock two transactions would read the same revision and one change would be lost."""
    await db.write(lambda conn: worlds.insert_world(conn, world()))

    def bump(conn: Connection) -> None:
        found = worlds.lock_world(conn, "alpha")
        worlds.update_world(conn, replace(found, revision=found.revision + 1))

    await asyncio.gather(*(db.write(bump) for _ in range(20)))
    assert (await db.read(lambda conn: worlds.get_world(conn, "alpha"))).revision == 21


async def test_a_policy_that_can_no_longer_be_read_lowers_the_world(db: Database) -> None:
    """A document of an older build that this one refuses must not keep anything trading."""
    act = own_act("Test", "alpha", NOW)
    rules = DecisionSettings((), timedelta(seconds=300))
    alpha = replace(world(), default_policy_version=1)
    old = PolicyRecord("alpha", 1, "gone: {}", "blake3:1", PolicyStatus.ACTIVE, "ann", NOW, NOW)

    def work(conn: Connection) -> Narrowed:
        worlds.insert_world(conn, alpha)
        policy_store.insert_policy(conn, old)
        bindings.save_binding(conn, binding("s", Stage.PAPER))
        activations.save_activation(conn, trading())
        return narrow(conn, alpha, rules, act)

    settled = await db.write(work)
    assert settled.verdicts.decision.reasons == ("POLICY_UNREADABLE",)
    assert settled.activation.fence.state is FenceState.FROZEN
    assert settled.activation.fence.epoch == 2
    assert await db.read(lambda conn: activations.load_activation(conn, "alpha", NOW)) == settled.activation


async def test_a_page_of_the_audit_log_fits_into_a_message(db: Database) -> None:
    detail = "\u00e9" * audit.REQUEST_MAX  # two bytes each, four are counted
    fits = audit.AUDIT_BYTES_MAX // (512 + 7 + 4 * audit.REQUEST_MAX)

    def fill(conn: Connection) -> None:
        for _ in range(fits + 5):
            audit.append_audit(conn, AuditRow(0, "alpha", "ann", "Test", "request", "OK", detail, "", NOW))

    await db.write(fill)
    assert await db.read(lambda conn: audit.audit_page(conn, "alpha", Page(1000))) == Page(fits)
    assert await db.read(lambda conn: audit.audit_page(conn, "alpha", Page(7))) == Page(7)
    rows = await db.read(lambda conn: audit.list_audit(conn, "alpha", Page(fits)))
    rest = Page(1000, (rows[-2].sequence,))
    assert await db.read(lambda conn: audit.audit_page(conn, "alpha", rest)) == rest
    assert len(await db.read(lambda conn: audit.list_audit(conn, "alpha", rest))) == 5


async def test_a_version_no_store_has_is_unknown(db: Database) -> None:
    await db.write(lambda conn: worlds.insert_world(conn, world()))
    for version in (2**31 - 1, 2**31, 2**32 - 1):
        with pytest.raises(NotFound):
            await db.read(partial(policy_store.get_policy, world_id="alpha", version=version))
    assert await db.read(lambda conn: policy_store.list_policies(conn, "alpha", Page(10, (2**63 - 1,)))) == []
