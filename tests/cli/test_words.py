"""What the commands say, from replies made by hand: reasons, events, rows, errors."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict

from qmtl.cli import dagview, reasons, words
from qmtl.cli.eventwords import event_line, summary
from qmtl.cli.loading import load_strategy
from qmtl.cli.main import explain
from qmtl.cli.queues import garbage_line, skip_rows
from qmtl.cli.status import Report, counts_of, dependency_rows, gate_rows, lag_rows, service_rows
from qmtl.cli.tables import show_table
from qmtl.cli.world import window_text
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.control.v1 import service_pb2 as busservicepb
from qmtl.core.errors import InvalidRequest, NotBuilt, NotFound, Violation
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import service_pb2 as dagservicepb
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as gatewayservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import world_pb2 as worldpb
from tests.cli.conftest import ROOT

PAPER, COMPUTE = commonpb.EFFECTIVE_MODE_PAPER, commonpb.EFFECTIVE_MODE_COMPUTE_ONLY


def run_of(
    strategy_id: str, *verdicts: evaluationpb.RuleVerdict, policy_version: int = 1
) -> evaluationpb.EvaluationRun:
    report = evaluationpb.EvaluationReport(strategy_id=strategy_id, policy_version=policy_version, verdicts=verdicts)
    return evaluationpb.EvaluationRun(strategy_id=strategy_id, run_id="r", stage=worldpb.STAGE_BACKTEST, report=report)


def standing(run: evaluationpb.EvaluationRun | None = None, *entries: worldpb.ActivationEntry) -> reasons.Standing:
    return reasons.Standing("s", "", worldpb.STAGE_BACKTEST, run, entries)


def decided(mode: commonpb.EffectiveMode, *selected: str, why: str = "", policy: int = 1) -> worldpb.DecisionEnvelope:
    return worldpb.DecisionEnvelope(
        world_id="w", policy_version=policy, effective_mode=mode, selected=selected, reasons=[why] if why else []
    )


def test_the_rule_that_failed_first_is_why_a_strategy_is_out() -> None:
    run = run_of(
        "s",
        evaluationpb.RuleVerdict(rule="n_trades >= 1", outcome=evaluationpb.OUTCOME_PASS),
        evaluationpb.RuleVerdict(
            rule="sharpe >= 0.6", outcome=evaluationpb.OUTCOME_FAIL, reason="GATE_FAILED",
            inputs=[evaluationpb.Metric(name="sharpe", value=0.31)],
        ),
        evaluationpb.RuleVerdict(rule="max_drawdown <= 0.1", outcome=evaluationpb.OUTCOME_FAIL, reason="GATE_FAILED"),
    )  # fmt: skip
    assert reasons.why_out(decided(COMPUTE), standing(run)) == "sharpe >= 0.6: sharpe = 0.31 [GATE_FAILED]"


@pytest.mark.parametrize(
    ("decision", "run", "wanted"),
    [
        (decided(PAPER), None, "never evaluated"),
        (decided(COMPUTE, policy=0), run_of("s", policy_version=0), "there is no policy"),
        (decided(COMPUTE), run_of("s", policy_version=0), "before there was a policy"),
        (decided(COMPUTE, why="DATA_STALE"), run_of("s"), "older than the policy's max_lag [DATA_STALE]"),
        (decided(PAPER, "other"), run_of("s"), "the world has moved on"),
    ],
)
def test_other_reasons_to_be_out(
    decision: worldpb.DecisionEnvelope, run: evaluationpb.EvaluationRun | None, wanted: str
) -> None:
    assert wanted in reasons.why_out(decision, standing(run))


@pytest.mark.parametrize(
    ("decision", "entry", "wanted"),
    [
        (
            decided(PAPER, "s"),
            {"active": True, "weight": 0.5, "effective_mode": PAPER},
            "long trades in PAPER at weight 0.5",
        ),
        (decided(PAPER, "s"), {"active": True, "freeze": True}, "long is frozen"),
        (
            decided(PAPER),
            {"active": True, "drain": True, "effective_mode": PAPER},
            "long drains in PAPER: only reducing orders pass",
        ),
        (decided(PAPER), {"active": True, "drain": True, "effective_mode": COMPUTE}, "computes only"),
        (decided(PAPER, "s"), {}, "long is inactive"),
        (decided(PAPER, "s"), {"active": True, "effective_mode": COMPUTE}, "its stage is BACKTEST"),
        (decided(PAPER), {"active": True, "effective_mode": COMPUTE}, "the policy does not select it"),
        (decided(COMPUTE), {"active": True, "effective_mode": COMPUTE}, "the world only computes"),
    ],
)
def test_what_a_strategy_may_do_now(decision: worldpb.DecisionEnvelope, entry: dict[str, object], wanted: str) -> None:
    one = worldpb.ActivationEntry(strategy_id="s", side=commonpb.SIDE_LONG)
    for name, value in entry.items():
        setattr(one, name, value)
    assert wanted in reasons.trading_text(decision, standing(None, one))


def test_the_newest_backtest_run_judges_and_removed_bindings_are_left_out() -> None:
    bindings = [worldpb.Binding(strategy_id="s"), worldpb.Binding(strategy_id="x", state=worldpb.BINDING_STATE_REMOVED)]
    paper = evaluationpb.EvaluationRun(strategy_id="s", run_id="paper", stage=worldpb.STAGE_PAPER)
    runs = [paper, run_of("s"), evaluationpb.EvaluationRun(strategy_id="s", run_id="old", stage=worldpb.STAGE_BACKTEST)]
    (found,) = reasons.standings_of(bindings, runs, worldpb.ActivationEnvelope(), {"s": "name"})
    assert found.run is not None
    assert (found.name, found.run.run_id) == ("name", "r")


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    assert reasons.reason_text("OF_A_NEWER_PEER") == "OF_A_NEWER_PEER"


def test_errors_are_one_line_with_the_hint() -> None:
    error = NotFound("E_X", "no such thing", hint="make one")
    assert explain(error) == "error: E_X: no such thing (hint: make one)"
    several = InvalidRequest("E_Y", "two", violations=[Violation("a", "1", "2"), Violation("b", "3", "4")])
    assert explain(several).splitlines()[1:] == ["  a is 1, want 2", "  b is 3, want 4"]


def test_what_is_not_built_names_its_part() -> None:
    error = NotBuilt(
        "NOT_BUILT", "x.Y/Z is not built yet", hint="it comes with: that part", metadata={"part": "that part"}
    )
    assert explain(error) == "error: NOT_BUILT: not built yet: that part"


def test_ids_spans_and_times() -> None:
    digest = "ab" * 32
    assert words.full_id(digest) == f"blake3:{digest}"
    assert words.full_id("s-1") == "s-1"
    assert words.short_id(f"blake3:{digest}") == "ab" * 6
    assert [words.span_word(n) for n in (0, 30, 900, 3600, 86400, 90)] == ["", "30s", "15m", "1h", "1d", "90s"]
    assert words.instant("2021-03-01T02:00+02:00", "--from") == datetime(2021, 3, 1, tzinfo=UTC)
    with pytest.raises(InvalidRequest, match="--from is"):
        words.instant("soon", "--from")


def test_events_are_one_line_each() -> None:
    entry = worldpb.ActivationEntry(strategy_id="s", side=commonpb.SIDE_LONG, active=True, weight=0.5)
    activation = worldpb.ActivationEnvelope(effective_mode=PAPER, epoch=3, entries=[entry])
    payload = controlpb.ActivationUpdated(activation=activation)
    event = controlpb.ControlEvent(key="w", revision=2, activation_updated=payload)
    assert event_line(event, is_state=True).endswith(
        "= activation_updated       w r2  PAPER epoch 3: s long active 0.5"
    )
    failed = controlpb.StrategyStateChanged(strategy_id="s", state=controlpb.STRATEGY_STATE_FAILED, reason="because")
    assert summary(controlpb.ControlEvent(strategy_state_changed=failed)) == "FAILED: because"
    assert summary(controlpb.ControlEvent()) == ""


def test_every_payload_of_the_contract_has_words() -> None:
    """A new payload without a summary shows here, not on somebody's terminal."""
    payloads = [field.name for field in controlpb.ControlEvent.DESCRIPTOR.oneofs_by_name["payload"].fields]
    silent = {name for name in payloads if not summary(ParseDict({name: {}}, controlpb.ControlEvent()))}
    assert silent <= {"sentinel_weight_updated"}  # a list, empty here


def test_garbage_reasons_are_counted() -> None:
    skipped = [dagservicepb.GarbageSkip(compute_key=str(n), reason="in grace") for n in range(3)]
    skipped.append(dagservicepb.GarbageSkip(compute_key="x", reason="archive not verified"))
    assert skip_rows(skipped) == [("in grace", "3"), ("archive not verified", "1")]
    reply = dagservicepb.CollectGarbageResponse(observed=5, candidates=2, processed=1)
    assert garbage_line(reply, dry_run=False) == "5 queues looked at, 2 past their time, 1 dropped"
    assert "nothing was dropped" in garbage_line(reply, dry_run=True)


def test_a_service_that_does_not_answer_is_shown_beside_the_others() -> None:
    need = commonpb.DependencyStatus(
        name="nats", state=commonpb.DEPENDENCY_STATE_UNREACHABLE, breaker=commonpb.BREAKER_STATE_OPEN, detail="refused"
    )
    status = commonpb.ServiceStatus(service="gateway", outbox_depth=7, degraded=True, dependencies=[need])
    reply = gatewayservicepb.GetStatusResponse(status=status, submissions_queued=3)
    reports = [Report("gateway", status, counts_of(reply)), Report("seamless", None, {}, "E_UNAVAILABLE: gone")]
    first, second = service_rows(reports)
    assert first[2:4] == ("DEGRADED", "7")
    assert "submissions queued 3" in first[4]
    assert second[2:] == ("NO ANSWER", "-", "E_UNAVAILABLE: gone")
    assert dependency_rows(reports) == [("gateway", "nats", "UNREACHABLE", "OPEN", "refused")]


def test_gates_and_lag() -> None:
    gate = gatewaypb.GateStatus(world_id="w", revision=4, epoch=2, effective_mode=PAPER, detail="no renewal")
    assert gate_rows(gatewayservicepb.GetStatusResponse(gates=[gate])) == [
        ("w", "PAPER", "4", "2", "LAPSED", "no renewal")
    ]
    consumers = [busservicepb.ConsumerInfo(name="a", pending=1), busservicepb.ConsumerInfo(name="b", ack_pending=9)]
    streams = busservicepb.GetStreamsResponse(streams=[busservicepb.StreamInfo(name="CONTROL", consumers=consumers)])
    assert [row[1] for row in lag_rows(streams)] == ["b", "a"]


def test_a_label_is_marked_and_quotes_survive_dot() -> None:
    node = dagpb.DagNode(node_id="n", name='a "b"', kind=dagpb.SEMANTIC_KIND_DELAYED_STREAM)
    view = dagview.view_of_plan(dagpb.Plan(strategy_id="s", dag=dagpb.Dag(nodes=[node])), [], [])
    assert "label: values come late" in dagview.drawing(view, 80)
    assert '"n" [label="a \\"b\\" label\\n", style="dashed"];' in dagview.dot("g", view)


def test_a_graph_too_large_to_follow_is_counted_by_type() -> None:
    nodes = [dagpb.DagNode(node_id=str(n), spec=dagpb.NodeSpec(node_type="ema")) for n in range(151)]
    text = dagview.drawing(dagview.view_of_plan(dagpb.Plan(dag=dagpb.Dag(nodes=nodes)), [], []), 80)
    assert "151 nodes are too many to draw" in text
    assert "151  ema" in text


def test_no_rows_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("orders", ("a", "b"), [])
    assert capsys.readouterr().out == "orders: none\n"


def test_loading_a_strategy(tmp_path: Path) -> None:
    assert load_strategy(f"{ROOT}/examples/ema_cross.py").__name__ == "EmaCross"
    assert load_strategy(f"{ROOT}/examples/ema_cross.py:EmaCross").name == "ema-cross"
    with pytest.raises(InvalidRequest, match="it has EmaCross"):
        load_strategy(f"{ROOT}/examples/ema_cross.py:Other")
    with pytest.raises(InvalidRequest, match="is not a file"):
        load_strategy("nowhere.py")
    both = tmp_path / "both.py"
    both.write_text("from qmtl.sdk import Strategy\nclass A(Strategy): pass\nclass B(A): pass\n", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="defines A, B"):
        load_strategy(str(both))
    assert load_strategy(f"{both}:B").__name__ == "B"


def test_explain_shows_what_the_rules_say_now_not_when_it_was_evaluated() -> None:
    then = run_of("s", evaluationpb.RuleVerdict(rule="sharpe >= 0.6", outcome=evaluationpb.OUTCOME_PASS))
    failed = evaluationpb.RuleVerdict(rule="sharpe >= 2.0", outcome=evaluationpb.OUTCOME_FAIL, reason="GATE_FAILED")
    now = evaluationpb.EvaluationReport(strategy_id="s", policy_version=1, verdicts=[failed])
    (judged,) = reasons.as_judged_now([standing(then)], [now])
    assert reasons.why_out(decided(COMPUTE), judged).startswith("sharpe >= 2.0")
    assert then.report.verdicts[0].rule == "sharpe >= 0.6"


def test_a_window_reads_like_one_writes_it() -> None:
    window = worldpb.ActivationWindow(
        days=[worldpb.WEEKDAY_MONDAY, worldpb.WEEKDAY_FRIDAY], time_zone="America/New_York"
    )
    window.opens.FromSeconds(9 * 3600 + 1800)
    window.closes.FromSeconds(16 * 3600)
    assert window_text(window) == "mon, fri 09:30-16:00 America/New_York"
