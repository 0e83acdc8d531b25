"""Why a strategy is in or out and what it may do now, from replies made by hand."""

from __future__ import annotations

import pytest

from qmtl.cli.show import verdicts as show_verdicts
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb

GATE_FAILED = decisionpb.DECISION_REASON_GATE_FAILED
PAPER, COMPUTE = commonpb.EFFECTIVE_MODE_PAPER, commonpb.EFFECTIVE_MODE_COMPUTE_ONLY


def run_of(
    strategy_id: str, *verdicts: evaluationpb.RuleVerdict, policy_version: int = 1
) -> evaluationpb.EvaluationRun:
    report = evaluationpb.EvaluationReport(strategy_id=strategy_id, policy_version=policy_version, verdicts=verdicts)
    return evaluationpb.EvaluationRun(
        strategy_id=strategy_id, run_id="r", stage=bindingpb.STAGE_BACKTEST, report=report
    )


def standing(
    run: evaluationpb.EvaluationRun | None = None, *entries: activationpb.ActivationEntry
) -> show_verdicts.Standing:
    return show_verdicts.Standing("s", "", bindingpb.STAGE_BACKTEST, run, entries)


def decided(
    mode: commonpb.EffectiveMode, *selected: str, why: decisionpb.DecisionReason | None = None, policy: int = 1
) -> decisionpb.DecisionEnvelope:
    return decisionpb.DecisionEnvelope(
        world_id="w", policy_version=policy, effective_mode=mode, selected=selected, reasons=[why] if why else []
    )


def test_the_rule_that_failed_first_is_why_a_strategy_is_out() -> None:
    run = run_of(
        "s",
        evaluationpb.RuleVerdict(rule="n_trades >= 1", outcome=evaluationpb.OUTCOME_PASS),
        evaluationpb.RuleVerdict(
            rule="sharpe >= 0.6", outcome=evaluationpb.OUTCOME_FAIL, reason=GATE_FAILED,
            inputs=[evaluationpb.Metric(name="sharpe", value=0.31)],
        ),
        evaluationpb.RuleVerdict(rule="max_drawdown <= 0.1", outcome=evaluationpb.OUTCOME_FAIL, reason=GATE_FAILED),
    )  # fmt: skip
    assert show_verdicts.why_out(decided(COMPUTE), standing(run)) == "sharpe >= 0.6: sharpe = 0.31 [GATE_FAILED]"


@pytest.mark.parametrize(
    ("decision", "run", "wanted"),
    [
        (decided(PAPER), None, "never evaluated"),
        (decided(COMPUTE, policy=0), run_of("s", policy_version=0), "there is no policy"),
        (decided(COMPUTE), run_of("s", policy_version=0), "before there was a policy"),
        (
            decided(COMPUTE, why=decisionpb.DECISION_REASON_DATA_STALE),
            run_of("s"),
            "older than the policy's max_lag [DATA_STALE]",
        ),
        (decided(PAPER, "other"), run_of("s"), "the world has moved on"),
    ],
)
def test_other_reasons_to_be_out(
    decision: decisionpb.DecisionEnvelope, run: evaluationpb.EvaluationRun | None, wanted: str
) -> None:
    assert wanted in show_verdicts.why_out(decision, standing(run))


@pytest.mark.parametrize(
    ("decision", "entry", "wanted"),
    [
        (
            decided(PAPER, "s"),
            {"active": True, "weight": "0.5", "effective_mode": PAPER},
            "long trades in PAPER at weight 0.5",
        ),
        (
            decided(PAPER, "s"),
            {"active": True, "freeze": True},
            "long is frozen by an operator: qmtl world activate w s --orders all ends that",
        ),
        (
            decided(PAPER, "s"),
            {"freeze": True, "run_id": "r-7"},
            "long is frozen by run r-7: where that has ended, qmtl world resume w r-7 opens what stood before",
        ),
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
def test_what_a_strategy_may_do_now(
    decision: decisionpb.DecisionEnvelope, entry: dict[str, object], wanted: str
) -> None:
    one = activationpb.ActivationEntry(strategy_id="s", side=commonpb.SIDE_LONG)
    for name, value in entry.items():
        setattr(one, name, value)
    assert wanted in show_verdicts.trading_text(decision, standing(None, one))


def test_the_newest_backtest_run_judges_and_removed_bindings_are_left_out() -> None:
    bindings = [
        bindingpb.Binding(strategy_id="s"),
        bindingpb.Binding(strategy_id="x", state=bindingpb.BINDING_STATE_REMOVED),
    ]
    paper = evaluationpb.EvaluationRun(strategy_id="s", run_id="paper", stage=bindingpb.STAGE_PAPER)
    runs = [
        paper,
        run_of("s"),
        evaluationpb.EvaluationRun(strategy_id="s", run_id="old", stage=bindingpb.STAGE_BACKTEST),
    ]
    (found,) = show_verdicts.standings_of(bindings, runs, activationpb.ActivationEnvelope(), {"s": "name"})
    assert found.run is not None
    assert (found.name, found.run.run_id) == ("name", "r")


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    newer = decisionpb.DecisionEnvelope.FromString(b"\x22\x02\xe7\x07")  # reasons: [999]
    assert show_verdicts.reason_text(newer.reasons[0]) == "999"


def test_explain_shows_what_the_rules_say_now_not_when_it_was_evaluated() -> None:
    then = run_of("s", evaluationpb.RuleVerdict(rule="sharpe >= 0.6", outcome=evaluationpb.OUTCOME_PASS))
    failed = evaluationpb.RuleVerdict(rule="sharpe >= 2.0", outcome=evaluationpb.OUTCOME_FAIL, reason=GATE_FAILED)
    now = evaluationpb.EvaluationReport(strategy_id="s", policy_version=1, verdicts=[failed])
    (judged,) = show_verdicts.as_judged_now([standing(then)], [now])
    assert show_verdicts.why_out(decided(COMPUTE), judged).startswith("sharpe >= 2.0")
    assert then.report.verdicts[0].rule == "sharpe >= 0.6"


def test_what_numbers_rest_on_is_said_warnings_first() -> None:
    replayed = evaluationpb.EvaluationRun(
        run_id="r", evidence_state=evaluationpb.EVIDENCE_STATE_REPLAYED, order_list="blake3:0123456789abcdef"
    )
    assert list(show_verdicts.evidence_lines(replayed)) == ["numbers are of the world's own replay of blake3:01234567"]
    replayed.claims.add(name="sharpe", value=1.0)
    assert list(show_verdicts.evidence_lines(replayed))[-1].endswith("; the client came to the same")
    replayed.warnings.append("sharpe is claimed to be 9.0, the replay came to 1.0")
    first, last = show_verdicts.evidence_lines(replayed)
    assert first == "WARNING sharpe is claimed to be 9.0, the replay came to 1.0"
    assert "the same" not in last
    books = evaluationpb.PaperBooks(account="acc", session_id="w1-dryrun-1")
    paper = evaluationpb.EvaluationRun(evidence_state=evaluationpb.EVIDENCE_STATE_REPLAYED, paper_books=books)
    assert list(show_verdicts.evidence_lines(paper)) == ["numbers are of brokerage's books of acc"]
    claimed = evaluationpb.EvaluationRun(evidence_state=evaluationpb.EVIDENCE_STATE_CLAIMED)
    assert list(show_verdicts.evidence_lines(claimed)) == ["numbers are the client's own claims"]


def test_a_run_without_its_evidence_is_told_beside_the_one_that_counts() -> None:
    pending, refused = (
        evaluationpb.EvaluationRun(strategy_id="s", run_id="r2", evidence_state=state, evidence_message=why)
        for state, why in (
            (evaluationpb.EVIDENCE_STATE_PENDING, ""),
            (evaluationpb.EVIDENCE_STATE_REFUSED, "E_ARTIFACT_UNKNOWN: no"),
        )
    )
    (judged,) = show_verdicts.as_judged_now([standing(None)], [], [pending])
    lines = list(show_verdicts.explain_strategy(decided(COMPUTE), judged))
    assert lines[1].strip() == "run r2 waits for the replay of its orders and counts for nothing"
    (line,) = show_verdicts.evidence_lines(refused)
    assert line == "run r2 cannot be replayed and counts for nothing: E_ARTIFACT_UNKNOWN: no"


@pytest.mark.parametrize(
    ("state", "detail", "wanted"),
    [
        (
            "CLOSING",
            "10 left",
            "; brokerage closes what it holds until 2026-01-01T01:00:00Z: 10 left",
        ),
        ("CLOSING", "", ": brokerage was not asked yet"),
        ("FLAT", "", ", and it is flat since 2026-01-01T00:30:00Z"),
        ("NOT_CLOSED", "acc holds 10 AAPL", "; NOT CLOSED by 2026-01-01T01:00:00Z: acc holds 10 AAPL"),
        ("STOPPED", "it may go on", "only reducing orders pass"),
    ],
)
def test_who_is_closed_says_what_is_left(state: str, detail: str, wanted: str) -> None:
    closing = activationpb.PositionClosing(
        strategy_id="s", side=commonpb.SIDE_LONG, state=f"CLOSING_STATE_{state}", detail=detail
    )
    closing.until.FromJsonString("2026-01-01T01:00:00Z")
    closing.end_time.FromJsonString("2026-01-01T00:30:00Z")
    entry = activationpb.ActivationEntry(
        strategy_id="s", side=commonpb.SIDE_LONG, active=True, drain=True, effective_mode=PAPER
    )
    bound = [bindingpb.Binding(strategy_id="s")]
    envelope = activationpb.ActivationEnvelope(entries=[entry])
    (found,) = show_verdicts.standings_of(bound, [], envelope, {}, [closing])
    assert show_verdicts.trading_text(decided(COMPUTE), found).endswith(wanted)
