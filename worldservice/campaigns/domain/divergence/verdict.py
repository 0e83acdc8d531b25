"""The verdict of a divergence report: limits of the policy, the test of the mean, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from worldservice.policy.domain.campaign.terms import DivergenceTerms

WARN_SHARE = 0.8
T_FAIL, T_WARN = 2.576, 1.96  # two-sided 1 % and 5 % of a normal


class Verdict(Enum):
    """UNKNOWN names what is missing and blocks as FAIL does; WARN and PASS do not."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a report measured; NaN: there was nothing to measure. `slippage_bps`: of live, positive is a cost."""

    pairs: int
    match_rate: float
    fill_ratio: float
    slippage_bps: float
    tracking_error: float
    t: float  # of the mean daily difference; NaN: fewer than 20 days
    psi: float  # the largest of all nodes; NaN: no features were told


@dataclass(frozen=True, slots=True)
class Ground:
    """What a report rests on."""

    recording: str = ""  # fingerprint of the recording that was replayed; empty: none
    coverage: float = 0.0  # of the window, by the recording
    live_version: str = ""
    replay_version: str = ""
    cut: bool = False  # the recording ends before the window does
    unlike: tuple[str, ...] = ()  # sentences: what else could not be compared


def judge(
    measured: Measured, limits: DivergenceTerms, ground: Ground, coverage_min: float
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and a sentence for each reason that it is not better."""
    missing = tuple(_missing(measured, limits, ground, coverage_min))
    if missing:
        return Verdict.UNKNOWN, missing
    checks = tuple(_checks(measured, limits))
    for verdict in (Verdict.FAIL, Verdict.WARN):
        if any(found is verdict for found, _ in checks):
            return verdict, tuple(sentence for found, sentence in checks if found is not Verdict.PASS)
    return Verdict.PASS, ()


def _missing(measured: Measured, limits: DivergenceTerms, ground: Ground, coverage_min: float) -> Iterator[str]:
    if not ground.recording:
        yield "no recording of what the live run was given"
    elif ground.cut:
        yield "the recording ends before the window does"
    if ground.recording and not ground.coverage >= coverage_min:
        yield f"the recording covers {ground.coverage:.1%} of the window, want {coverage_min:.1%}"
    yield from ground.unlike
    if ground.live_version != ground.replay_version:
        yield f"the replay is of version {ground.replay_version or '?'}, live of {ground.live_version or '?'}"
    if measured.pairs < limits.min_pairs:
        yield f"{measured.pairs} pairs of orders, want {limits.min_pairs}"
    elif math.isnan(measured.slippage_bps):
        yield "no live fill has the mark that its order arrived at"
    if limits.psi_required and math.isnan(measured.psi):
        yield "no feature was compared: the strategy publishes none, and the policy writes psi_max"
    if math.isnan(measured.tracking_error):
        yield "fewer than two days with a return of both sides"


def _checks(measured: Measured, limits: DivergenceTerms) -> Iterator[tuple[Verdict, str]]:
    yield _at_least("match rate", measured.match_rate, limits.match_min)
    yield _at_least("fill ratio", measured.fill_ratio, limits.fill_min)
    yield _at_most("slippage in bps", measured.slippage_bps, limits.slippage_max_bps)
    yield _at_most("tracking error a year", measured.tracking_error, limits.tracking_error_max)
    yield _at_most("feature drift (PSI)", measured.psi, limits.psi_max)
    if not math.isnan(measured.t):
        yield _by_t(measured.t)


def _at_least(name: str, value: float, least: float) -> tuple[Verdict, str]:
    """As of the gap to 1: beyond 80 % of the gap that is allowed is a warning."""
    if math.isnan(value):
        return Verdict.FAIL, f"{name} has no value, want at least {least:g}"
    sentence = f"{name} is {value:.4g}, want at least {least:g}"
    if value < least:
        return Verdict.FAIL, sentence
    near = 1.0 - value > WARN_SHARE * (1.0 - least)
    return (Verdict.WARN, f"{sentence}: near it") if near else (Verdict.PASS, sentence)


def _at_most(name: str, value: float, most: float) -> tuple[Verdict, str]:
    if math.isnan(value):
        return Verdict.PASS, f"{name} was not measured"
    sentence = f"{name} is {value:.4g}, want at most {most:g}"
    if value > most:
        return Verdict.FAIL, sentence
    return (Verdict.WARN, f"{sentence}: near it") if value > WARN_SHARE * most else (Verdict.PASS, sentence)


def _by_t(t: float) -> tuple[Verdict, str]:
    if t < -T_FAIL:
        return Verdict.FAIL, f"live is worse than its replay, t {t:.3f}, want at least -{T_FAIL}"
    if t < -T_WARN:
        return Verdict.WARN, f"live may be worse than its replay, t {t:.3f}"
    if t > T_FAIL:
        return Verdict.WARN, f"live is better than its replay, t {t:.3f}: the model is wrong too"
    return Verdict.PASS, f"live is as its replay, t {t:.3f}"
