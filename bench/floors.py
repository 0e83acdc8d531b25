"""The least programs with the same answers as what bench.execution measures: no checks, records or exact scales."""

from __future__ import annotations

from typing import Any

_LOOP: Any = None


def numba_cross(closes: Any, opens: Any) -> float:
    """The floor of a backtest: a compiled loop in floats, without orders, scales or checks."""
    import numba

    global _LOOP
    if _LOOP is None:

        @numba.njit
        def loop(closes: Any, opens: Any) -> float:
            cash, held, side, equity = 100_000.0, 0.0, 0.0, 0.0
            for i in range(50, len(closes)):
                now = 1.0 if closes[i - 20 : i].mean() > closes[i - 50 : i].mean() else -1.0
                if side > 0 and held == 0.0:
                    held = 0.95 * cash / opens[i]
                    cash -= held * opens[i] * 1.001
                elif side < 0 and held > 0.0:
                    cash += held * opens[i] * 0.999
                    held = 0.0
                side = now
                equity = cash + held * closes[i]
            return equity

        _LOOP = loop
    return float(_LOOP(closes, opens))


def plain_orders(count: int) -> None:
    """The floor of order events: four tuples an order, its state, cash and position in whole cents."""
    states: dict[str, str] = {}
    history: list[tuple[str, str, int]] = []
    cash, held = 10**15, 0
    for number in range(count):
        name = f"o{number}"
        for kind in ("INITIALIZED", "SUBMITTED", "ACCEPTED", "FILLED"):
            states[name] = kind
            history.append((name, kind, number))
        signed = 10 if number % 2 == 0 else -10
        cash, held = cash - signed * 100 - 1, held + signed
