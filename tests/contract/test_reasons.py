"""The registry of reasons: what code raises is registered with its gRPC code, and what is registered is raised."""

from __future__ import annotations

from collections import defaultdict

from tests.contract.reasons import REASON, code_name, files, named_in_tests, registered, uses

RULES = registered()


def test_every_reason_that_code_names_is_registered() -> None:
    unknown = {use.reason: use.place for use in uses() if use.reason not in RULES}
    assert unknown == {}


def test_every_registered_reason_is_raised() -> None:
    raised = {use.reason for use in uses() if not use.compared}
    assert sorted(set(RULES) - raised) == []


def test_every_registered_reason_is_expected_by_a_test() -> None:
    assert sorted(set(RULES) - named_in_tests()) == []


def test_a_reason_comes_with_the_code_that_is_registered() -> None:
    wrong = [
        f"{use.place}: {use.reason} with {use.code}, registered with {code_name(RULES[use.reason])}"
        for use in uses()
        if use.code and use.reason in RULES and use.code != code_name(RULES[use.reason])
    ]
    assert wrong == []


def test_metadata_has_the_keys_that_are_registered() -> None:
    wrong: dict[str, set[str]] = defaultdict(set)
    for use in uses():
        if use.reason in RULES:
            wrong[use.reason] |= set(use.keys) - set(RULES[use.reason].metadata)
    assert {reason: keys for reason, keys in wrong.items() if keys} == {}


def test_reasons_are_never_composed() -> None:
    composed = [str(path) for path in files("qmtl/", "gateway/", "worldservice/") if 'f"E_' in path.read_text()]
    assert composed == []


def test_every_rule_says_what_the_caller_does() -> None:
    silent = [reason for reason, rule in RULES.items() if not rule.action.endswith(".") or not rule.code]
    assert silent == []
    assert all(REASON.fullmatch(reason) for reason in RULES)
