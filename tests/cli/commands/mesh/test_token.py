"""`qmtl token`: what the printed token lets its bearer be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from qmtl.core.clock import SystemClock, VirtualClock
from qmtl.core.errors import Unauthenticated
from qmtl.core.roles import Role
from qmtl.rpc.auth.keys import dev_issuers
from qmtl.rpc.auth.verification import Authenticator
from tests.cli.conftest import Invoke


@pytest.mark.parametrize("role", ["none", "reader", "operator", "owner"])
def test_role(home: Path, invoke: Invoke, role: str) -> None:
    done = invoke("token", "--home", home, "--role", role)
    who = Authenticator(dev_issuers(home), SystemClock()).user(done.stdout.strip())
    assert (who.role, who.subject, who.worlds) == (Role[role.upper()], f"dev-{role}", None)


def test_subject_worlds_and_life_time(home: Path, invoke: Invoke) -> None:
    done = invoke("token", "--home", home, "--subject", "alice", "--world", "w1", "--world", "w2", "--ttl", "30m")
    token = done.stdout.strip()
    who = Authenticator(dev_issuers(home), SystemClock()).user(token)
    assert (who.subject, who.worlds) == ("alice", frozenset({"w1", "w2"}))
    later = VirtualClock(SystemClock().now() + timedelta(minutes=31))
    with pytest.raises(Unauthenticated) as caught:
        Authenticator(dev_issuers(home), later).user(token)
    assert caught.value.reason == "E_TOKEN_EXPIRED"


def test_service(home: Path, invoke: Invoke) -> None:
    token = invoke("token", "--home", home, "--as-service", "operator").stdout.strip()
    authenticator = Authenticator(dev_issuers(home), SystemClock())
    assert authenticator.service(token).name == "operator"
    with pytest.raises(Unauthenticated):
        authenticator.user(token)


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("--as-service", "nobody"), "nobody"),
        (("--as-service", "operator", "--world", "w1"), "--world"),
        (("--ttl", "soon"), "soon"),
        (("--ttl", "0s"), "0s"),
    ],
)
def test_refusal(home: Path, invoke: Invoke, args: tuple[str, ...], named: str) -> None:
    done = invoke("token", "--home", home, *args)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "E_TOKEN_OPTIONS" in done.stderr
    assert named in done.stderr


def test_unknown_role_is_wrong_usage(home: Path, invoke: Invoke) -> None:
    assert invoke("token", "--home", home, "--role", "root").returncode == 2


def test_prod_has_no_local_issuer(home: Path, invoke: Invoke) -> None:
    done = invoke("token", "--home", home, QMTL__MESH__PROFILE="prod")
    assert done.returncode == 1
    assert "mesh.profile" in done.stderr
    assert not home.exists()
