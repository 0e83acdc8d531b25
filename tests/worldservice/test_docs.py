"""What the documentation shows is what the service takes and says."""

from __future__ import annotations

import re
from pathlib import Path

from qmtl.world.v1 import decision_pb2 as decisionpb
from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.policy.domain.policy import OnMissing, parse_policy

TEXT = (Path(__file__).parents[2] / "docs" / "worlds.md").read_text(encoding="utf-8")


def test_the_policy_of_the_documentation_is_taken() -> None:
    (document,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    policy = parse_policy(document)
    assert policy.thresholds.missing_rule("profit_factor") is OnMissing.WARN


def test_the_example_policies_are_taken() -> None:
    documents = sorted((Path(__file__).parents[2] / "examples" / "policies").glob("*.yaml"))
    assert documents
    for document in documents:
        text = document.read_text(encoding="utf-8")
        assert bool(parse_policy(text).windows) is ("activation_windows" in text)


def test_every_reason_is_of_the_contract_and_documented() -> None:
    contract = set(decisionpb.DecisionReason.keys()) - {"DECISION_REASON_UNSPECIFIED"}
    ours = {f"DECISION_REASON_{reason.name}" for reason in DecisionReason}
    assert contract - ours == {"DECISION_REASON_DECISION_UNAVAILABLE"}  # of caches
    assert ours <= contract
    assert {reason.value for reason in DecisionReason} - set(re.findall(r"[A-Z_]+", TEXT)) == set()
