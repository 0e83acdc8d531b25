"""Texts of a world: what they may be, and where a label may be empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from qmtl.core.errors import InvalidRequest
from seamless.config import FileFeed
from seamless.config import Settings as SeamlessSettings
from seamless.presets.builtin import presets_of
from tests.worldservice.samples import NOW
from worldservice.config import Settings
from worldservice.worlds.domain.world import TEXT_MAX, is_replay, new_world


@pytest.mark.parametrize("text", ["a", "a" * TEXT_MAX])
def test_texts_of_a_world_have_a_character_and_at_most_the_limit(text: str) -> None:
    assert new_world("alpha", "ann", NOW, name=text).name == text
    assert new_world("alpha", "ann", NOW, labels={"k": ""}).default_policy_version == 0


@pytest.mark.parametrize("text", ["a" * (TEXT_MAX + 1), "a\x00", "a\n"])
def test_other_texts_are_refused(text: str) -> None:
    for changed in ({"name": text}, {"labels": {"k": text}}, {"data_presets": (text,)}):
        with pytest.raises(InvalidRequest, match="E_WORLD_FIELD"):
            new_world("alpha", "ann", NOW, **changed)


def test_whatever_is_replayed_is_a_replay_to_worlds_too() -> None:
    """By the defaults of both services; a file is as old as it is, and judged by its own time."""
    feed = FileFeed(path=Path("bars.csv"), symbol="X", interval="1h")
    known, patterns = presets_of(SeamlessSettings(files={"mine": feed})), Settings().replay_presets
    replayed = [preset.name for preset in known.all if preset.replay]
    assert {"demo.btc.15m", "file.ohlcv.mine"} <= set(replayed)
    for name in replayed:
        assert is_replay(new_world("alpha", "ann", NOW, data_presets=(name,)), patterns)
    assert not is_replay(new_world("alpha", "ann", NOW, data_presets=("ohlcv.binance.spot.1m",)), patterns)
