"""The runner's doors: plain, in a notebook's running loop, and towards a gateway that is not there."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from examples.ema_cross import EmaCross
from qmtl.core.errors import InvalidRequest, Unavailable
from qmtl.sdk import AccountTerms, Bars, Runner, Strategy, StreamInput, indicators, instrument, signals
from qmtl.sdk.mesh.client import Gateway
from qmtl.sdk.mesh.options import SessionOptions, SubmitOptions
from qmtl.sdk.research.options import TrialOptions

NOWHERE = Gateway("127.0.0.1:1", token="t", outage_s_max=0.2)


def test_an_unreachable_gateway_is_an_error_once_an_outage_lasts_too_long() -> None:
    with pytest.raises(Unavailable):
        Runner.submit(EmaCross(), world="w", data="d", gateway=NOWHERE)


async def test_the_plain_calls_work_where_a_loop_runs_already() -> None:
    with pytest.raises(Unavailable):
        Runner.submit(EmaCross(), world="w", data="d", gateway=NOWHERE)
    with pytest.raises(Unavailable):
        Runner.run(EmaCross(), world="w", data="d", gateway=NOWHERE)


async def test_the_address_given_wins() -> None:
    other = Gateway("127.0.0.1:2", token="t", outage_s_max=0.2)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1:"):
        await Runner.submit_async(EmaCross(), world="w", data="d", address="127.0.0.1:1", gateway=other)


@pytest.mark.parametrize("door", [Runner.backtest, Runner.submit, Runner.submit_async, Runner.run, Runner.run_async])
def test_no_door_takes_a_mode(door: object) -> None:
    assert callable(door)
    assert not {"mode", "domain", "execution_domain"} & set(inspect.signature(door).parameters)


@pytest.mark.parametrize("options", [SubmitOptions, SessionOptions, TrialOptions])
def test_no_option_is_a_mode(options: type) -> None:
    assert not {"mode", "domain", "execution_domain"} & set(options.__annotations__)


def test_nobody_names_a_year_of_their_own() -> None:
    with pytest.raises(TypeError, match="periods_per_year"):
        AccountTerms(periods_per_year=1e6)  # type: ignore[call-arg]  # what made a ratio of 0.48 one of 25


def test_an_option_that_no_call_has_is_told() -> None:
    with pytest.raises(TypeError, match="worker"):
        Runner.sweep(OwnInit, {"fast": [1]}, [], worker=2)  # type: ignore[call-arg]  # what a typing error is
    with pytest.raises(TypeError, match="worldd"):
        Runner.submit(EmaCross(), world="w", worldd="w")  # type: ignore[call-arg]


class OwnInit(Strategy):
    """Sets itself up without calling the base class."""

    def __init__(self, fast: int) -> None:
        self.fast = fast

    def setup(self) -> None:
        price = StreamInput("BTC-USD", interval="1h", period=self.fast)
        direction = signals.threshold(indicators.returns(price, 1), above=0.0, below=0.0)
        self.trade(signals.position_target(direction, long=0.5, short=0.0), price)


HOURLY = Bars.from_rows(
    [(datetime(2021, 1, 1, hour, tzinfo=UTC), (100.0, 120.0, 90.0, 100.0 + hour, 1e6)) for hour in range(8)],
    "BTC-USD",
    "1h",
)


def test_ratios_of_a_stock_are_annualised_by_the_sessions_of_its_exchange() -> None:
    days = [datetime(2024, 1, 8, 20, tzinfo=UTC) + timedelta(day) for day in range(49)]
    moves = [100.0 + day.day for day in days]
    rows = [(day, (100.0, 140.0, 90.0, move, 1e6)) for day, move in zip(days, moves, strict=True) if day.weekday() < 5]
    terms = AccountTerms(instruments=(instrument("BTC-USD", base="BTC", quote="USD", calendar="XNYS"),))
    run = Runner.backtest(OwnInit(2), Bars.from_rows(rows, "BTC-USD", "1h"), terms=terms).replay
    equity = np.array(run.equity, dtype=np.float64)
    per_year = (run.metrics["volatility"] / (equity[1:] / equity[:-1] - 1.0).std(ddof=1)) ** 2
    assert 245.0 < per_year < 275.0  # 251, over the sessions from the first return on


def test_a_strategy_with_an_init_of_its_own_runs() -> None:
    result = Runner.backtest(OwnInit(2), HOURLY, terms=AccountTerms(cash=5_000))  # type: ignore[arg-type]  # taken
    assert result.replay.equity[0] == 5_000
    assert OwnInit(2).built_nodes == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda: Runner.backtest(OwnInit, HOURLY), "strategy is the class OwnInit, want an instance"),  # type: ignore[arg-type]  # the mistake
        (lambda: Runner.backtest(OwnInit(2), "bars.csv"), "data is 'bars.csv' \\(str\\), want Bars"),  # type: ignore[arg-type]  # the mistake
        (lambda: Runner.backtest(OwnInit(2), 5), "data is int, want Bars"),  # type: ignore[arg-type]  # the mistake
        (lambda: Runner.backtest(OwnInit(2), []), "data is empty"),
        (lambda: Runner.backtest(OwnInit(2), [HOURLY, HOURLY.between(0, 1)]), "data of BTC-USD is 0 bars"),
        (lambda: AccountTerms(cash=1.5), "cash is 1.5 \\(float\\), want money in exact decimals"),  # type: ignore[arg-type]  # the mistake
        (lambda: AccountTerms(cash=Decimal("NaN")), "cash is Decimal\\('NaN'\\)"),
        (lambda: AccountTerms(cash=True), "cash is True"),  # type: ignore[arg-type]  # the mistake
    ],
)
def test_a_mistake_is_answered_in_a_sentence_that_names_it(given: Callable[[], object], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as caught:
        given()
    assert caught.value.reason == "E_FIELD"


def test_cash_is_exact_whatever_it_is_written_as() -> None:
    written: list[object] = [AccountTerms(cash=Decimal("10000.50")), AccountTerms(cash="10000.50")]  # type: ignore[arg-type]  # taken as decimal text
    assert written[0] == written[1]
    with pytest.raises(InvalidRequest, match="E_DECIMAL"):
        AccountTerms(cash="1e5")  # type: ignore[arg-type]  # no plain decimal
