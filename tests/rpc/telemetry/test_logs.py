"""Logs: one JSON object per line, joined by ids, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from qmtl.core.errors import QmtlError
from qmtl.core.roles import Role
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from qmtl.rpc.telemetry import logs
from tests.rpc.echo import KINDS, EchoStub
from tests.rpc.mesh import Mesh, peer, user
from tests.support.logbook import lines, logged


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Log lines of the test."""
    with logged() as stream:
        yield stream


def test_a_line_says_when_where_what(out: io.StringIO) -> None:
    structlog.stdlib.get_logger("qmtl.gateway").info("submitted", strategy_id="s-1", nodes=3)
    (line,) = lines(out)
    assert line["service"] == "gateway"
    assert line["event"] == "submitted"
    assert (line["strategy_id"], line["nodes"], line["level"]) == ("s-1", 3, "info")
    assert line["timestamp"].endswith("Z")


def test_the_standard_librarys_lines_are_json_too(out: io.StringIO) -> None:
    logging.getLogger("somewhere").warning("disk at %s percent", 91)
    (line,) = lines(out)
    assert (line["event"], line["logger"]) == ("disk at 91 percent", "somewhere")


@pytest.mark.parametrize(
    "hide",
    [
        lambda log, secret: log.info("x", token=secret),
        lambda log, secret: log.info("x", authorization=f"Bearer {secret}"),
        lambda log, secret: log.info(f"got {secret} from somewhere"),
        lambda log, secret: log.info("x", headers={"authorization": secret}),
        lambda log, secret: log.info("x", headers=[("a", f"Bearer {secret}")]),
        lambda log, secret: log.info("x", deep={"a": [{"b": secret}]}),
        lambda log, secret: log.info("x", error=ValueError(f"bad {secret}")),
        lambda log, secret: log.info("x", exc_info=ValueError(f"bad {secret}")),
        lambda log, secret: logging.getLogger("library").error("sent %s", secret),
        lambda log, secret: logging.getLogger("library").error("sent", exc_info=ValueError(secret)),
    ],
)
def test_a_token_is_in_no_line(out: io.StringIO, home: Path, hide: Any) -> None:
    secret = mint_user_token(home, Role.OWNER, "alice")
    hide(structlog.stdlib.get_logger("qmtl.gateway"), secret)
    assert len(lines(out)) == 1
    assert secret not in out.getvalue()
    assert secret.split(".")[2] not in out.getvalue()


def test_passwords_in_addresses_are_masked(out: io.StringIO) -> None:
    structlog.stdlib.get_logger("qmtl.gateway").info(
        "store", url="postgresql://qmtl:hunter2@db/qmtl", api_key="hunter2"
    )
    assert "hunter2" not in out.getvalue()
    assert lines(out)[0]["url"] == "postgresql://qmtl:***@db/qmtl"


def test_private_keys_are_masked(out: io.StringIO, home: Path) -> None:
    key = json.loads((home / "keys" / "issuer.jwk").read_text())
    structlog.stdlib.get_logger("qmtl.gateway").info("key", private_key=key)
    assert key["d"] not in out.getvalue()


@pytest.mark.parametrize("kind", KINDS)
async def test_no_token_shows_while_calls_of_any_kind_succeed_and_fail(
    mesh: Mesh, home: Path, out: io.StringIO, kind: str
) -> None:
    async def act(text: str) -> str:
        structlog.stdlib.get_logger("qmtl.service").info("handling", text=text)
        if text == "bug":
            raise RuntimeError(f"lost {alice()}")
        return text

    alice, gateway = user(home), peer(home)
    server = await mesh.serve(act)
    stub = EchoStub(await mesh.channel(server, as_user=alice, as_service=gateway))
    assert await stub.say(kind, "fine", metadata=(("x-request-id", "req-fine"),)) == "fine"
    with pytest.raises(QmtlError) as caught:
        await stub.say(kind, "bug")
    assert alice() not in str(caught.value)
    wrong = mint_service_token(home, "gateway")
    # Who is refused before the first message may be writing it: grpc.aio then tells the write's end, not the refusal.
    with pytest.raises(QmtlError, match="E_TOKEN_AUDIENCE|E_UNAVAILABLE" if kind == "Both" else "E_TOKEN_AUDIENCE"):
        await EchoStub(await mesh.channel(server, as_user=lambda: wrong)).say(kind, "x")
    for secret in (alice(), gateway(), wrong):
        assert secret not in out.getvalue()
    handling = next(line for line in lines(out) if line["event"] == "handling")
    assert (handling["request_id"], handling["actor"]) == ("req-fine", "alice")
    assert any(line["event"] == "unmapped_error" for line in lines(out))


def test_text_style_is_readable(out: io.StringIO) -> None:
    logs.configure("gateway", style="text", stream=out)
    structlog.stdlib.get_logger("qmtl.gateway").warning("slow", ms=12)
    assert "slow" in out.getvalue()
    assert "ms=12" in out.getvalue()
