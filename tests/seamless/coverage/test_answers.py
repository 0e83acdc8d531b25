"""Coverage answers: worked out once for an artifact and a range, and not for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from qmtl.calendars.spans import Span
from seamless.coverage.answers import KEPT_MAX, CoverageAnswers, State
from seamless.domain.stored import StoredCoverage
from tests.seamless.serving import Seamless, running


@pytest.fixture
async def seamless(tmp_path: Path) -> AsyncIterator[Seamless]:
    async with running(tmp_path) as server:
        yield server


async def test_an_answer_is_worked_out_once_for_an_artifact_and_a_range(seamless: Seamless) -> None:
    preset = seamless.inventory.presets.named("demo.btc.15m")
    manifest = await seamless.inventory.seen_at(preset, None)
    kept, step = CoverageAnswers(), preset.dataset.interval_ns
    state = State(manifest, StoredCoverage())
    first = kept.answer(preset, state, manifest.span)
    assert kept.answer(preset, state, manifest.span) is first
    half = Span(manifest.span.start_ns, manifest.span.start_ns + 40 * step)
    assert kept.answer(preset, state, half) != first
    empty = State(replace(manifest, fingerprint="lake:blake3:other", coverage=()), StoredCoverage())
    assert (len(kept.answer(preset, empty, half).spans), kept.answer(preset, empty, half).data_ratio) == (0, 0.0)
    written = replace(empty, stored=StoredCoverage((half,), (half,), version=1))
    assert kept.answer(preset, written, half).data_ratio == 1.0
    for index in range(KEPT_MAX):
        kept.answer(preset, state, Span(half.start_ns, half.start_ns + index * step))
    again = kept.answer(preset, state, manifest.span)
    assert again == first
    assert again is not first
