"""`qmtl trade` at a live venue: nothing is sent before the account's name is typed."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.cli.commands.trading.trade import confirmed


def asked(venue: str, typed: str) -> tuple[int, str]:
    """How a command that only asks ends, and what it prints."""
    app = typer.Typer()

    @app.command()
    def run() -> None:
        typer.echo(f"sent, live {confirmed(accountpb.Account(account='acc', venue=venue), 'buy 1 BTC/USDT')}")

    done = CliRunner().invoke(app, [], input=typed)
    return done.exit_code, done.output


@pytest.mark.parametrize("typed", ["", "\n", "yes\n", "ACC\n", "acc2\n"])
def test_at_a_live_venue_nothing_goes_unless_the_name_is_typed(typed: str) -> None:
    code, output = asked("binance", typed)
    assert code == 1
    assert "sent" not in output.replace("nothing was sent", "")
    assert "LIVE at binance: buy 1 BTC/USDT" in output


def test_the_name_lets_it_go_and_paper_asks_nothing() -> None:
    code, output = asked("binance", "acc\n")
    assert (code, output.rstrip().endswith("sent, live True")) == (0, True)
    assert asked("paper", "") == (0, "sent, live False\n")
