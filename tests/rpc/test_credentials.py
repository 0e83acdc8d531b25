"""A service's own credentials: refused at the start by name, told a week before they end, never the user's fault."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from qmtl.core.clock import SystemClock, VirtualClock
from qmtl.core.errors import InvalidRequest, Unauthenticated, Unavailable
from qmtl.rpc.auth.tokens import mint_service_token, service_token_path
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.credentials import OwnCredentials
from qmtl.rpc.outages import Outages
from qmtl.rpc.telemetry.metrics import Metrics
from tests.rpc.certificates import authority
from tests.rpc.echo import EchoStub
from tests.rpc.mesh import Mesh, settings_of, user
from tests.rpc.test_tls import secured

DAY = timedelta(days=1)


def give_token(home: Path, life: timedelta, name: str = "gateway", of: str = "gateway") -> Path:
    path = service_token_path(home, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(mint_service_token(home, of, life))
    return path


def note(name: str, detail: str) -> None:
    """Nobody asks."""


def credentials(home: Path, clock: VirtualClock) -> tuple[OwnCredentials, CollectorRegistry]:
    settings, metrics = settings_of(home, "gateway"), Metrics()
    authenticator, outages = Authenticator.from_settings(settings, clock), Outages(clock, metrics)
    return OwnCredentials(settings, authenticator, clock, metrics.registry, outages.note), metrics.registry


def test_what_cannot_be_used_is_refused_at_the_start_with_the_cause(home: Path) -> None:
    clock = VirtualClock(SystemClock().now())
    own, _ = credentials(home, clock)
    with pytest.raises(
        InvalidRequest, match=r"E_CONFIG: gateway\.service_token is .*service-gateway\.jwt, want .*No such"
    ):
        own.check()
    give_token(home, -DAY)
    with pytest.raises(InvalidRequest, match="the token has expired"):
        own.check()
    give_token(home, DAY, of="seamless")
    with pytest.raises(InvalidRequest, match="of service seamless, want gateway"):
        own.check()
    give_token(home, 30 * DAY)
    own.check()


def test_a_certificate_that_has_ended_is_refused_at_the_start(home: Path, tmp_path: Path) -> None:
    clock = VirtualClock(SystemClock().now())
    settings = secured(home, "gateway", authority(tmp_path, "ca"))
    give_token(home, 30 * DAY)
    registry = CollectorRegistry()
    own = OwnCredentials(settings, Authenticator.from_settings(settings, clock), clock, registry, note)
    own.check()
    assert [one.name for one in own.seen] == ["service_token", "certificate"]
    later = VirtualClock(clock.now() + timedelta(hours=2))
    own = OwnCredentials(settings, Authenticator.from_settings(settings, later), later, CollectorRegistry(), note)
    with pytest.raises(InvalidRequest, match=r"gateway\.tls_cert is .*gateway\.crt, want .*it ended at"):
        own.check()


def test_the_end_is_told_a_week_before_once_a_day_and_as_a_metric(home: Path) -> None:
    clock = VirtualClock(SystemClock().now())
    own, registry = credentials(home, clock)
    give_token(home, 8 * DAY)
    ends = clock.now() + 8 * DAY

    def told() -> list[str]:
        with capture_logs() as lines:
            own.look()
        return [line["event"] for line in lines]

    assert told() == []
    seconds = registry.get_sample_value("qmtl_credential_expires_timestamp_seconds", {"credential": "service_token"})
    assert seconds is not None
    assert abs(seconds - ends.timestamp()) < 2.0
    clock.advance(1.01 * 86_400)
    assert (told(), told()) == (["credential_ends_soon"], [])
    clock.advance(86_400)
    assert told() == ["credential_ends_soon"]
    clock.advance(7 * 86_400)
    assert told() == ["credential_refused", "outage"]
    away = registry.get_sample_value("qmtl_outage", {"subject": "credentials"})
    assert away == 1.0
    seconds = registry.get_sample_value("qmtl_credential_expires_timestamp_seconds", {"credential": "service_token"})
    assert seconds == 0.0
    give_token(home, 40 * DAY)
    assert (told(), own.seen[0].error) == (["outage_over"], "")


async def test_an_expired_token_of_a_service_is_never_the_users_fault(mesh: Mesh, home: Path) -> None:
    server = await mesh.serve()
    expired = mint_service_token(home, "gateway", -DAY)
    channel = await mesh.channel(server, as_user=user(home), as_service=lambda: expired)
    with pytest.raises(Unavailable, match=r"E_SERVICE_CREDENTIALS: .*own token is refused.*expired") as told:
        await EchoStub(channel).say("Post", "x", timeout=5)
    assert told.value.metadata == {"cause": "E_TOKEN_EXPIRED", "token": "service"}


async def test_an_expired_token_of_a_user_still_is(mesh: Mesh, home: Path) -> None:
    server = await mesh.serve()
    with pytest.raises(Unauthenticated, match="E_TOKEN_MALFORMED"):
        await EchoStub(await mesh.channel(server, as_user=lambda: "x")).say("Post", "x", timeout=5)
