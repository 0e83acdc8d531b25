"""Texts of a world: what they may be, and where a label may be empty."""

from __future__ import annotations

import pytest

from qmtl.core.errors import InvalidRequest
from tests.worldservice.samples import NOW
from worldservice.worlds.domain.world import TEXT_MAX, new_world


@pytest.mark.parametrize("text", ["a", "a" * TEXT_MAX])
def test_texts_of_a_world_have_a_character_and_at_most_the_limit(text: str) -> None:
    assert new_world("alpha", "ann", NOW, name=text).name == text
    assert new_world("alpha", "ann", NOW, labels={"k": ""}).default_policy_version == 0


@pytest.mark.parametrize("text", ["a" * (TEXT_MAX + 1), "a\x00", "a\n"])
def test_other_texts_are_refused(text: str) -> None:
    for changed in ({"name": text}, {"labels": {"k": text}}, {"data_presets": (text,)}):
        with pytest.raises(InvalidRequest, match="E_WORLD_FIELD"):
            new_world("alpha", "ann", NOW, **changed)
