"""Policy expressions are refused whole at upload and cannot run for long, divide by zero or read what is not there."""

import math

import pytest

from qmtl.core.errors import InvalidRequest
from worldservice.policy.domain.expressions import COST_MAX, NotComputable, Result, compile_expression
from worldservice.policy.domain.metric_catalogue import CATALOGUE, Unusable, refuse_unknown, unusable


def gate(text: str) -> bool:
    values = dict.fromkeys(CATALOGUE, 1.0)
    return compile_expression(text, Result.BOOLEAN, "selection.gates").test(values)


def refusal(text: str, result: Result = Result.BOOLEAN) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        compile_expression(text, result, "selection.gates.and[0]")
    assert caught.value.violations[0].field == "selection.gates.and[0]"
    return caught.value


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("sharpe >= 1.0", True),
        ("sharpe > 1.0", False),
        ("n_trades >= 1 && (sharpe < 0.0 || max_drawdown <= 1.0)", True),
        ("sharpe / 2.0 > 0.4", True),
        ("sharpe / -2.0 < -0.4", True),
        ("double(n_trades) * 0.5 > 0.4", True),
        ("(sharpe > 5.0 ? 0.0 : sharpe) == 1.0", True),
        ("[0.5, 0.9].all(floor, sharpe > floor)", True),
        ("n_trades % 2 == 1", True),
    ],
)
def test_expressions_say_what_they_say(text: str, want: bool) -> None:
    assert gate(text) is want


def test_names_are_the_metrics_read() -> None:
    expression = compile_expression("sharpe > 1.0 || [1.0].exists(x, x < sortino)", Result.BOOLEAN, "p")
    assert expression.names == ("sharpe", "sortino")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sharp >= 1.0", "E_POLICY_METRIC_UNKNOWN"),
        ("sharpe >=", "E_POLICY_CEL_SYNTAX"),
        ("", "E_POLICY_CEL_SYNTAX"),
        ("sharpe", "E_POLICY_CEL_TYPE"),
        ("sharpe >= 1", "E_POLICY_CEL_TYPE"),
        ("n_trades >= 30.0", "E_POLICY_CEL_TYPE"),
        ("sharpe / max_drawdown > 1.0", "E_POLICY_CEL_DIVISION"),
        ("sharpe / 0.0 > 1.0", "E_POLICY_CEL_DIVISION"),
        ("n_trades % 0 == 1", "E_POLICY_CEL_DIVISION"),
        ("'a'.matches('a+') && sharpe > 1.0", "E_POLICY_CEL_FORM"),
        ("dyn(sharpe) > 1.0", "E_POLICY_CEL_FORM"),
        ("{'a': sharpe}.size() > 0", "E_POLICY_CEL_FORM"),
        ("true", "E_POLICY_CEL_FORM"),
        ("sharpe > 1e400", "E_POLICY_CEL_FORM"),
        ("(" * 200 + "sharpe > 1.0" + ")" * 200, "E_POLICY_CEL_COST"),
        ("sharpe > 1.0" + " " * 2000, "E_POLICY_CEL_COST"),
    ],
)
def test_a_fault_is_refused_with_its_path(text: str, reason: str) -> None:
    assert refusal(text).reason == reason


def test_the_fix_for_a_literal_of_the_wrong_type_is_said() -> None:
    assert 'write "1.0"' in refusal("sharpe >= 1").message
    assert 'write "30"' in refusal("n_trades >= 30.0").message


def test_an_expression_that_would_run_forever_is_refused_by_cost() -> None:
    ten = "[1,2,3,4,5,6,7,8,9,10]"
    nested = "n_trades > 0"
    for name in "abcdefgh":
        nested = f"{ten}.all({name}, {nested})"
    error = refusal(nested)
    assert error.reason == "E_POLICY_CEL_COST"
    assert str(COST_MAX) in error.message


def test_a_loop_over_a_computed_list_has_no_bound_and_is_refused() -> None:
    assert refusal("[1.0].map(x, x).all(y, y < sharpe)").reason == "E_POLICY_CEL_COST"


def test_a_score_that_is_not_finite_is_not_computable() -> None:
    score = compile_expression("sharpe * 1e300 * 1e300", Result.NUMBER, "selection.score")
    with pytest.raises(NotComputable):
        score.number({"sharpe": 2.0})


def test_a_count_that_overflows_is_not_computable() -> None:
    rule = compile_expression("n_trades * 9223372036854775807 > 0", Result.BOOLEAN, "p")
    with pytest.raises(NotComputable):
        rule.test({"n_trades": 3.0})


def test_a_score_must_be_a_double() -> None:
    assert refusal("n_trades", Result.NUMBER).reason == "E_POLICY_CEL_TYPE"


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, Unusable.METRIC_MISSING),
        ({"n_trades": math.nan}, Unusable.METRIC_NOT_FINITE),
        ({"n_trades": math.inf}, Unusable.METRIC_NOT_FINITE),
        ({"n_trades": 1.5}, Unusable.METRIC_NOT_INTEGRAL),
        ({"n_trades": 1e16}, Unusable.METRIC_OUT_OF_RANGE),
        ({"n_trades": 7.0}, None),
    ],
)
def test_a_number_is_checked_before_it_is_read(values: dict[str, float], fault: Unusable | None) -> None:
    assert unusable("n_trades", values) is fault


def test_a_metric_outside_the_catalogue_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        refuse_unknown({"sharpe": 1.0, "luck": 2.0}, "metrics")
    assert [violation.field for violation in caught.value.violations] == ["metrics.luck"]


def test_every_metric_has_a_formula() -> None:
    assert all(metric.formula and metric.name == name for name, metric in CATALOGUE.items())
