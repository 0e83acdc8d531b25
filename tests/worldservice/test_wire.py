"""Every pair of the wire: what is turned into a message and back is the same value; unknown words are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from qmtl.wire.instants import instant_from_proto
from qmtl.wire.windows import windows_from_proto
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import world_pb2 as worldpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from worldservice.activation import wire as activation_wire
from worldservice.activation.domain.activation import Activation, Entry, Fence, FenceState, Phase
from worldservice.activation.domain.gate_session import GateSession
from worldservice.activation.domain.operator_changes import Change
from worldservice.bindings import wire as bindings_wire
from worldservice.evaluation import wire as evaluation_wire
from worldservice.evaluation.domain.decision import Decision
from worldservice.evaluation.domain.reports import (
    EvaluationReport,
    MetricSource,
    Number,
    Outcome,
    PipelineStage,
    RuleVerdict,
    Summary,
)
from worldservice.evaluation.domain.runs import EvaluationRun, Evidence
from worldservice.policy import wire as policy_wire
from worldservice.policy.domain.versions import PolicyRecord, PolicyStatus
from worldservice.worlds import fields
from worldservice.worlds import wire as worlds_wire
from worldservice.worlds.domain.binding import Binding, BindingState, Side, Stage
from worldservice.worlds.domain.session import Session
from worldservice.worlds.domain.world import World, WorldState

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME = st.integers(0, 7_258_118_400_000_000).map(lambda us: EPOCH + timedelta(microseconds=us))
MAYBE_TIME = st.none() | TIME
COUNT = st.integers(0, 2**31 - 1)
BIG = st.integers(0, 2**53)
REAL = st.floats(allow_nan=False, allow_infinity=False)
SIDES = st.sets(st.sampled_from(Side), min_size=1).map(frozenset)
NUMBER = st.builds(Number, TEXT, REAL, st.sampled_from(MetricSource), TEXT)
VERDICT = st.builds(
    RuleVerdict, st.sampled_from(PipelineStage), TEXT, st.sampled_from(Outcome), TEXT, st.tuples(NUMBER), TEXT
)
REPORT = st.builds(
    EvaluationReport,
    TEXT,
    TEXT,
    COUNT,
    TEXT,
    st.sampled_from(Summary),
    st.lists(VERDICT, max_size=3).map(tuple),
    st.none() | REAL,
    st.booleans(),
    COUNT,
    TIME,
)
EVIDENCE = st.builds(
    Evidence,
    TEXT,
    st.sampled_from(Stage),
    st.lists(NUMBER, max_size=3).map(tuple),
    TEXT,
    MAYBE_TIME,
    MAYBE_TIME,
    st.floats(0, 1),
)
RUN = st.builds(EvaluationRun, TEXT, TEXT, COUNT, EVIDENCE, st.none() | REPORT, st.sampled_from(Stage), TEXT, TIME)
WORLD = st.builds(
    World,
    TEXT,
    TEXT,
    TEXT,
    st.dictionaries(TEXT, TEXT, max_size=3),
    st.sampled_from(WorldState),
    st.booleans(),
    st.booleans(),
    COUNT,
    st.lists(TEXT, max_size=3).map(tuple),
    TIME,
    TIME,
    COUNT,
)
POLICY = st.builds(PolicyRecord, TEXT, COUNT, TEXT, TEXT, st.sampled_from(PolicyStatus), TEXT, TIME, MAYBE_TIME)
BINDING = st.builds(Binding, TEXT, TEXT, st.sampled_from(Stage), st.sampled_from(BindingState), SIDES, TEXT, TIME)
SPAN = st.timedeltas(timedelta(0), timedelta(days=9))
MODES = st.sampled_from(EffectiveMode)
DECISION = st.builds(
    Decision,
    TEXT,
    COUNT,
    MODES,
    st.lists(TEXT, max_size=3).map(tuple),
    MAYBE_TIME,
    SPAN,
    TEXT,
    st.floats(0, 1),
    MAYBE_TIME,
    TIME,
    TEXT,
    st.lists(TEXT, max_size=3).map(tuple),
)
ENTRY = st.builds(
    Entry,
    TEXT,
    st.sampled_from(Side),
    st.booleans(),
    st.floats(0, 1),
    st.booleans(),
    st.booleans(),
    MAYBE_TIME,
    MAYBE_TIME,
    TIME,
    TEXT,
    MODES,
)
FENCE = st.builds(
    lambda epoch, state, mode, behind: Fence(epoch, state, mode, epoch - behind),
    st.integers(1, 2**53),
    st.sampled_from(FenceState),
    MODES,
    st.sampled_from([0, 1]),
)
ACTIVATION = st.builds(
    Activation,
    TEXT,
    BIG,
    st.lists(ENTRY, max_size=3).map(tuple),
    FENCE,
    TEXT,
    BIG,
    st.sampled_from(Phase),
    st.booleans(),
    TIME,
)
CHANGE = st.builds(
    Change,
    TEXT,
    st.sampled_from(Side),
    st.none() | st.booleans(),
    st.none() | st.floats(0, 1),
    st.none() | st.booleans(),
    st.none() | st.booleans(),
    MAYBE_TIME,
    MAYBE_TIME,
    st.none() | st.sampled_from(Stage),
)
SESSION = st.builds(Session, TEXT, TEXT, st.sampled_from(ExecutionDomain), TIME, TIME, TEXT, TEXT, TIME, MAYBE_TIME)
GATE = st.builds(GateSession, TEXT, TEXT, TIME, st.dictionaries(TEXT, BIG, max_size=3))
QUICK = settings(max_examples=40, deadline=None)


@QUICK
@given(WORLD)
def test_world(value: World) -> None:
    assert worlds_wire.world_from_proto(worlds_wire.world_to_proto(value)) == value


@QUICK
@given(POLICY)
def test_policy(value: PolicyRecord) -> None:
    assert policy_wire.policy_from_proto(policy_wire.policy_to_proto(value)) == value


@QUICK
@given(BINDING)
def test_binding(value: Binding) -> None:
    assert bindings_wire.binding_from_proto(bindings_wire.binding_to_proto(value)) == value


@QUICK
@given(NUMBER)
def test_number(value: Number) -> None:
    assert evaluation_wire.number_from_proto(evaluation_wire.number_to_proto(value)) == value


@QUICK
@given(VERDICT)
def test_verdict(value: RuleVerdict) -> None:
    assert evaluation_wire.verdict_from_proto(evaluation_wire.verdict_to_proto(value)) == value


@QUICK
@given(REPORT)
def test_report(value: EvaluationReport) -> None:
    assert evaluation_wire.report_from_proto(evaluation_wire.report_to_proto(value)) == value


@QUICK
@given(RUN)
def test_run(value: EvaluationRun) -> None:
    assert evaluation_wire.run_from_proto(evaluation_wire.run_to_proto(value)) == value


@QUICK
@given(DECISION)
def test_decision(value: Decision) -> None:
    message = evaluation_wire.decision_to_proto(value)
    assert evaluation_wire.decision_from_proto(message) == value
    assert message.etag == value.etag


@QUICK
@given(ENTRY)
def test_entry(value: Entry) -> None:
    assert activation_wire.entry_from_proto(activation_wire.entry_to_proto(value)) == value


@QUICK
@given(ACTIVATION)
def test_activation(value: Activation) -> None:
    message = activation_wire.activation_to_proto(value, ())
    assert activation_wire.activation_from_proto(message, value.fence.state) == value
    assert message.state_hash == value.state_hash


@QUICK
@given(CHANGE)
def test_change(value: Change) -> None:
    assert activation_wire.change_from_proto(activation_wire.change_to_proto(value), "changes[0]") == value


@QUICK
@given(SESSION)
def test_session(value: Session) -> None:
    assert activation_wire.session_from_proto(activation_wire.session_to_proto(value)) == value


@QUICK
@given(GATE)
def test_gate(value: GateSession) -> None:
    assert activation_wire.gate_from_proto(activation_wire.gate_to_proto(value)) == value


@pytest.mark.parametrize("number", [0, 99])
def test_an_unspecified_or_unknown_word_is_refused_with_its_field(number: Any) -> None:
    for refuse in (
        lambda: fields.mode_from_proto(number, "mode"),
        lambda: worlds_wire.stage_from_proto(number, "mode"),
        lambda: worlds_wire.role_from_proto(number, "mode"),
        lambda: worlds_wire.side_from_proto(number, "mode"),
        lambda: fields.domain_from_proto(number, "mode"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            refuse()
        assert caught.value.violations[0].field == "mode"


def test_a_time_outside_the_calendar_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        instant_from_proto(worldpb.World(created_at={"seconds": 2**62}).created_at, "created_at")


@pytest.mark.parametrize("token", ["%%%", "AAA", "LTE=", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk="])
def test_a_page_token_of_something_else_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest):
        fields.page_from_proto(commonpb.PageRequest(page_token=token), numeric=True)


def test_a_page_is_bounded_and_says_where_to_go_on() -> None:
    assert fields.page_from_proto(commonpb.PageRequest(page_size=1001)).size == 1000
    page = fields.page_from_proto(commonpb.PageRequest(page_size=2))
    shown, info = fields.page_of(["a", "b", "c"], page, str)
    assert list(shown) == ["a", "b"]
    assert fields.page_from_proto(commonpb.PageRequest(page_token=info.next_page_token)).after == "b"
    assert not fields.page_of(["a"], page, str)[1].next_page_token


def test_an_update_keeps_what_it_does_not_name() -> None:
    change = worlds_wire.change_from_proto(worldservicepb.UpdateWorldRequest(world_id="w1", circuit_breaker=False))
    assert (change.name, change.allow_live, change.circuit_breaker, change.state) == (None, None, False, None)


@pytest.mark.parametrize(
    ("field", "window"),
    [
        ("opens", {"opens": {"seconds": 2**62}}),
        ("opens", {"opens": {"seconds": -1}}),
        ("closes", {"closes": {"seconds": 86_400}}),
        ("closes", {"closes": {"nanos": 2_000_000_000}}),
        *(("time_zone", {"time_zone": name}) for name in ("", "localtime", "Factory", "posix/UTC", "Nope/X")),
        ("days", {"days": []}),
        ("days", {"days": [9]}),
    ],
)
def test_a_window_that_is_none_is_refused(field: str, window: dict[str, Any]) -> None:
    message = activationpb.ActivationWindow(**{"days": [1], "time_zone": "UTC", **window})
    with pytest.raises(InvalidRequest) as refused:
        windows_from_proto([message])
    assert (refused.value.reason, refused.value.violations[0].field) == ("E_WINDOW", f"windows.{field}")


def test_a_blank_text_is_none() -> None:
    with pytest.raises(InvalidRequest):
        fields.optional_text("  ", "dataset_fingerprint")
