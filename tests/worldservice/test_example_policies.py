"""The policies under examples/ are taken whole, and the one that shows everything has every section there is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from worldservice.policy.domain.policy import parse_policy

FOLDER = Path(__file__).parents[2] / "examples" / "policies"
SECTIONS = {
    "data_currency", "selection", "validation_profiles", "default_profile_by_stage", "gating_policy", "governance",
    "activation_windows", "position_policy",
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_a_policy(path: Path) -> None:
    assert parse_policy(path.read_text()).ruleset_hash


def test_the_example_of_everything_has_every_section() -> None:
    assert set(yaml.safe_load((FOLDER / "us_equities.yaml").read_text())) == SECTIONS
