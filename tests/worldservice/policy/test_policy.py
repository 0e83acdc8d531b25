"""A policy document means exactly what it says, or it is refused with the path of what it got wrong."""

from datetime import timedelta

import pytest

from qmtl.core.errors import InvalidRequest
from tests.worldservice.samples import DOCUMENT
from worldservice.policy.domain.policy import AllOf, AnyOf, OnMissing, TopK, parse_policy, rules_of
from worldservice.policy.domain.presets import PRESETS


def document(**changes: str) -> str:
    parts = {
        "data_currency": "{max_lag: 5m}",
        "gates": '{and: ["sharpe >= 0.6"]}',
        "score": '"sharpe"',
        "topk": "{total: 3}",
        "extra": "",
        "more": "",
    }
    parts.update(changes)
    return (
        f"data_currency: {parts['data_currency']}\n"
        "selection:\n"
        f"  gates: {parts['gates']}\n"
        f"  score: {parts['score']}\n"
        f"  topk: {parts['topk']}\n"
        f"{parts['more']}"
        f"{parts['extra']}"
    )


def refusal(text: str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_policy(text)
    return caught.value


def test_a_document_becomes_rules() -> None:
    policy = parse_policy(DOCUMENT)
    assert policy.max_lag == timedelta(minutes=5)
    assert policy.thresholds.min_history == timedelta(days=60)
    assert [rule.text for rule in rules_of(policy.thresholds.gates)] == [
        "sample_days >= 30",
        "sharpe >= 0.6",
        "max_drawdown <= 0.25",
    ]
    assert policy.topk == TopK(8, 5, 3)
    assert policy.thresholds.missing_rule("sharpe") is OnMissing.FAIL


def test_a_metric_that_the_score_does_not_read_may_be_missing() -> None:
    policy = parse_policy(document(more="  missing_metrics: {beta: warn}\n"))
    assert policy.thresholds.missing_rule("beta") is OnMissing.WARN


def test_gates_nest() -> None:
    policy = parse_policy(document(gates='{and: ["sharpe > 0.1", {or: ["win_rate > 0.5", "n_trades > 9"]}]}'))
    assert isinstance(policy.thresholds.gates, AllOf)
    assert isinstance(policy.thresholds.gates.parts[1], AnyOf)
    assert rules_of(policy.thresholds.gates)[2].path == "selection.gates.and[1].or[1]"


@pytest.mark.parametrize(
    ("text", "reason", "path"),
    [
        (document(extra="colour: red\n"), "E_POLICY_KEY_UNKNOWN", "colour"),
        (document(more="  gate: x\n"), "E_POLICY_KEY_UNKNOWN", "selection.gate"),
        (document(data_currency="{max_lag: 5m, max_age: 1d}"), "E_POLICY_KEY_UNKNOWN", "data_currency.max_age"),
        (document(data_currency="{max_lag: 5 minutes}"), "E_POLICY_UNIT", "data_currency.max_lag"),
        (document(data_currency="{max_lag: 5y}"), "E_POLICY_UNIT", "data_currency.max_lag"),
        (document(data_currency="{max_lag: 300}"), "E_POLICY_UNIT", "data_currency.max_lag"),
        (document(data_currency="{max_lag: 99999999w}"), "E_POLICY_VALUE", "data_currency.max_lag"),
        (document(data_currency="{min_history: 5d}"), "E_POLICY_KEY_MISSING", "data_currency.max_lag"),
        (document(data_currency="soon"), "E_POLICY_VALUE", "data_currency"),
        (document(gates='{and: ["sharp > 0.1"]}'), "E_POLICY_METRIC_UNKNOWN", "selection.gates.and[0]"),
        (document(gates="{and: []}"), "E_POLICY_VALUE", "selection.gates.and"),
        (document(gates='{and: ["sharpe > 0.1"], or: ["sharpe > 0.2"]}'), "E_POLICY_VALUE", "selection.gates"),
        (document(gates='{not: ["sharpe > 0.1"]}'), "E_POLICY_KEY_UNKNOWN", "selection.gates.not"),
        (document(gates='{and: [{xor: ["sharpe > 0.1"]}]}'), "E_POLICY_KEY_UNKNOWN", "selection.gates.and[0].xor"),
        (document(score="5"), "E_POLICY_VALUE", "selection.score"),
        (document(topk="{total: -1}"), "E_POLICY_VALUE", "selection.topk.total"),
        (document(topk="{total: 2.5}"), "E_POLICY_VALUE", "selection.topk.total"),
        (document(topk="{total: true}"), "E_POLICY_VALUE", "selection.topk.total"),
        (document(topk="{by_side: {up: 1}}"), "E_POLICY_KEY_UNKNOWN", "selection.topk.by_side.up"),
        (
            document(more="  missing_metrics: {luck: warn}\n"),
            "E_POLICY_METRIC_UNKNOWN",
            "selection.missing_metrics.luck",
        ),
        (document(more="  missing_metrics: {beta: maybe}\n"), "E_POLICY_VALUE", "selection.missing_metrics.beta"),
        (document(more="  missing_metrics: {sharpe: warn}\n"), "E_POLICY_VALUE", "selection.missing_metrics.sharpe"),
        (document(more='  score: "sortino"\n'), "E_POLICY_KEY_TWICE", "selection.score"),
        ("data_currency: [", "E_POLICY_SYNTAX", "document"),
        ("a: &x {b: 1}\nc: *x\n", "E_POLICY_SYNTAX", "document"),
        ("[" * 5000, "E_POLICY_SYNTAX", "document"),
        ("- sharpe\n", "E_POLICY_VALUE", "document"),
        ("", "E_POLICY_SYNTAX", "document"),
        ("x: " + "y" * 70_000, "E_POLICY_SIZE", "document"),
        (document(topk="{total: .nan}"), "E_POLICY_VALUE", "selection.topk.total"),
        (document(topk="{total: 0x10}"), "E_POLICY_VALUE", "selection.topk.total"),
    ],
)
def test_a_fault_names_its_path(text: str, reason: str, path: str) -> None:
    error = refusal(text)
    assert (error.reason, error.violations[0].field) == (reason, path)


def test_topk_without_a_score_is_refused() -> None:
    text = document().replace('  score: "sharpe"\n', "")
    assert refusal(text).violations[0].field == "selection.topk"


def test_the_checksum_follows_content_not_layout() -> None:
    spaced = DOCUMENT.replace("{max_lag: 5m, min_history: 60d}", "\n  min_history: 60d\n  max_lag: 5m  # fresh\n")
    assert parse_policy(spaced).checksum == parse_policy(DOCUMENT).checksum
    assert parse_policy(DOCUMENT.replace("0.6", "0.7")).ruleset_hash != parse_policy(DOCUMENT).ruleset_hash


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_a_policy(name: str) -> None:
    assert rules_of(parse_policy(PRESETS[name].document).thresholds.gates)
