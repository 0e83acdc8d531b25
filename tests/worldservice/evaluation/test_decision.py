"""What a world may do: every way to be lowered, no way to be raised by something that is missing."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from qmtl.core.modes import EffectiveMode
from tests.worldservice.samples import DOCUMENT, GOOD, NOW, PRESET, candidate, evidence, fresh, world
from worldservice.evaluation.domain.data_currency import DataState
from worldservice.evaluation.domain.decision import WorldFacts, changed, decide
from worldservice.evaluation.domain.runs import Candidate
from worldservice.policy.domain.policy import parse_policy
from worldservice.policy.domain.trading_terms import NO_TERMS, Terms
from worldservice.worlds.domain.binding import BOTH_SIDES
from worldservice.worlds.domain.world import WorldState

POLICY = parse_policy(DOCUMENT)
WORLD = replace(world(), default_policy_version=1)
FACTS = WorldFacts(WORLD, POLICY, (candidate("s"),), fresh(), replay=False)


@pytest.mark.parametrize(
    ("facts", "mode", "reason"),
    [
        (replace(FACTS, policy=None), EffectiveMode.VALIDATE, "POLICY_UNREADABLE"),
        (replace(FACTS, world=world(), policy=None), EffectiveMode.VALIDATE, "NO_POLICY"),
        (replace(FACTS, candidates=()), EffectiveMode.VALIDATE, "NO_BINDINGS"),
        (replace(FACTS, world=replace(WORLD, state=WorldState.DELETED)), EffectiveMode.VALIDATE, "WORLD_DELETED"),
        (
            replace(FACTS, world=replace(WORLD, state=WorldState.SUSPENDED)),
            EffectiveMode.COMPUTE_ONLY,
            "WORLD_SUSPENDED",
        ),
        (replace(FACTS, world=replace(WORLD, circuit_breaker=True)), EffectiveMode.COMPUTE_ONLY, "CIRCUIT_BREAKER"),
        (replace(FACTS, data=DataState(NOW, None)), EffectiveMode.COMPUTE_ONLY, "DATA_END_UNKNOWN"),
        (replace(FACTS, data=fresh(timedelta(hours=1))), EffectiveMode.COMPUTE_ONLY, "DATA_STALE"),
        (
            replace(FACTS, candidates=(Candidate("s", BOTH_SIDES, None),)),
            EffectiveMode.COMPUTE_ONLY,
            "NOTHING_SELECTED",
        ),
        (FACTS, EffectiveMode.PAPER, "LIVE_NOT_ALLOWED"),
    ],
)
def test_each_lack_lowers_the_world(facts: WorldFacts, mode: EffectiveMode, reason: str) -> None:
    decision = decide(facts, NOW).decision
    assert decision.effective_mode is mode
    assert reason in decision.reasons


def test_live_is_reached_by_exactly_one_combination() -> None:
    found = []
    for allow, replay, approved, fingerprint, passes, named, own in product([False, True], repeat=7):
        proof = replace(
            evidence({**GOOD, "sharpe": 1.0 if passes else 0.0}),
            dataset_fingerprint="f" if fingerprint else "",
            data_presets=(PRESET,) if own else ("file.ohlcv.flattering",),
        )
        facts = WorldFacts(
            replace(WORLD, allow_live=allow, data_presets=(PRESET, "other") if named else ()),
            POLICY,
            (Candidate("s", BOTH_SIDES, proof),),
            fresh(),
            replay=replay,
            live_approved=frozenset({"s"} if approved else ()),
        )
        if decide(facts, NOW).decision.effective_mode is EffectiveMode.LIVE:
            found.append((allow, replay, approved, fingerprint, passes, named, own))
    assert found == [(True, False, True, True, True, True, True)]


@pytest.mark.parametrize(
    ("named", "of", "reason"),
    [
        ((), (PRESET,), "DATA_PRESETS_MISSING"),
        ((), (), "DATA_PRESETS_MISSING"),
        ((PRESET,), ("file.ohlcv.flattering",), "EVIDENCE_OF_OTHER_DATA"),
        ((PRESET,), (PRESET, "file.ohlcv.flattering"), "EVIDENCE_OF_OTHER_DATA"),
        ((PRESET,), (), "EVIDENCE_OF_OTHER_DATA"),
    ],
)
def test_made_up_prices_are_no_ground_to_trade_live(named: tuple[str, ...], of: tuple[str, ...], reason: str) -> None:
    shown = replace(evidence(), data_presets=of)
    facts = replace(
        FACTS,
        world=replace(WORLD, allow_live=True, data_presets=named),
        candidates=(Candidate("s", BOTH_SIDES, shown),),
        live_approved=frozenset({"s"}),
    )
    verdicts = decide(facts, NOW)
    assert (verdicts.decision.effective_mode, verdicts.live) == (EffectiveMode.PAPER, frozenset())
    assert reason in verdicts.decision.reasons


def test_an_approval_of_another_strategy_does_not_open_live() -> None:
    facts = replace(FACTS, world=replace(WORLD, allow_live=True), live_approved=frozenset({"other"}))
    assert decide(facts, NOW).decision.effective_mode is EffectiveMode.PAPER


def test_a_strategy_that_is_not_selected_only_computes() -> None:
    facts = replace(FACTS, candidates=(candidate("s"), candidate("weak", {**GOOD, "sharpe": 0.1})))
    verdicts = decide(facts, NOW)
    assert verdicts.ceiling_of("s") is EffectiveMode.PAPER
    assert verdicts.ceiling_of("weak") is EffectiveMode.COMPUTE_ONLY
    assert verdicts.ceiling_of("unknown") is EffectiveMode.COMPUTE_ONLY


def test_the_etag_changes_only_with_content() -> None:
    first = decide(FACTS, NOW).decision
    later = decide(FACTS, NOW + timedelta(seconds=7), ttl=timedelta(seconds=9)).decision
    assert first.etag == later.etag
    assert not changed(first, later)
    other = decide(replace(FACTS, world=replace(WORLD, circuit_breaker=True)), NOW).decision
    assert other.etag != first.etag
    assert changed(first, other)
    assert changed(None, first)


def test_the_same_inputs_give_the_same_report_and_ruleset() -> None:
    assert decide(FACTS, NOW) == decide(replace(FACTS, policy=parse_policy(DOCUMENT)), NOW)


def test_terms_are_the_policy_s_and_none_are_known_while_it_cannot_be_read() -> None:
    session = 'activation_windows: [{days: [mon], from: "09:30", to: "16:00", tz: UTC}]\n'
    windowed = parse_policy(DOCUMENT + session)
    assert decide(replace(FACTS, policy=windowed), NOW).terms == Terms(windowed.windows)
    assert windowed.windows
    assert decide(FACTS, NOW).terms == NO_TERMS
    assert decide(replace(FACTS, world=world(), policy=None), NOW).terms == NO_TERMS
    assert decide(replace(FACTS, policy=None), NOW).terms is None


def test_a_live_decision_names_the_data_of_the_best_that_is_live() -> None:
    other = candidate("s")
    assert other.evidence is not None
    pinned = replace(other, evidence=replace(other.evidence, dataset_fingerprint="blake3:pin"))
    best = candidate("best", {**GOOD, "sharpe": 3.0})
    facts = replace(
        FACTS,
        world=replace(WORLD, allow_live=True),
        policy=parse_policy(DOCUMENT + 'gating_policy: {dataset_fingerprint: "blake3:pin"}\n'),
        candidates=(best, pinned),
        live_approved=frozenset({"s"}),
    )
    verdicts = decide(facts, NOW)
    assert (verdicts.decision.effective_mode, verdicts.live) == (EffectiveMode.LIVE, frozenset({"s"}))
    assert verdicts.decision.selected == ("best", "s")
    assert verdicts.decision.dataset_fingerprint == "blake3:pin"
    paper = decide(replace(facts, live_approved=frozenset()), NOW).decision
    assert (paper.effective_mode, paper.dataset_fingerprint) == (EffectiveMode.PAPER, "blake3:data")


def test_a_decision_names_the_policy_it_was_made_by_and_none_where_it_could_not_be_read() -> None:
    named = replace(FACTS, world=replace(WORLD, default_policy_version=3))
    assert decide(named, NOW).decision.policy_version == 3
    unread = decide(replace(named, policy=None), NOW).decision
    assert (unread.policy_version, unread.ruleset_hash) == (0, "")
