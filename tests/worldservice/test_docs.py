"""What the documentation shows is what the service takes and says."""

from __future__ import annotations

import re
from pathlib import Path

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
        assert parse_policy(document.read_text(encoding="utf-8")).windows


def test_every_reason_of_a_decision_is_documented() -> None:
    source = (Path(__file__).parents[2] / "worldservice" / "evaluation" / "domain" / "decision.py").read_text(
        encoding="utf-8"
    )
    source += (Path(__file__).parents[2] / "worldservice" / "evaluation" / "domain" / "validation.py").read_text(
        encoding="utf-8"
    )
    reasons = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source)) - {"METRIC_MISSING_", "METRIC_MISSING", "NO_PAPER_RUN"}
    assert len(reasons) > 8
    assert reasons <= set(re.findall(r"[A-Z_]+", TEXT))
