"""What Prometheus sees of a gateway, as its peers come and go."""

from __future__ import annotations

from pathlib import Path

from tests.gateway.harness import make_world, running_harness, submitted, trading
from tests.support.waiting import eventually


async def test_level_dependencies_breakers_and_gates_follow_what_happens(tmp_path: Path, nats_url: str) -> None:
    async with running_harness(tmp_path, nats_url, probe_s=0.1) as harness:

        def level(name: str) -> float | None:
            return harness.sample("gateway", "qmtl_gateway_level", level=name)

        def session() -> float | None:
            return harness.sample("gateway", "qmtl_gate_session_valid")

        client = await harness.client()
        world = await make_world(client)
        await trading(client, world, (await submitted(client, world)).strategy_id)
        await eventually(lambda: session() == 1.0 and harness.sample("gateway", "qmtl_gates_held") == 1.0)
        assert harness.sample("gateway", "qmtl_dependency_up", dependency="worldservice") == 1.0
        assert harness.sample("gateway", "qmtl_dependency_up", dependency="credentials") == 1.0
        assert harness.sample("gateway", "qmtl_breaker_state", peer="worldservice", state="CLOSED") == 1.0
        assert harness.sample("gateway", "qmtl_outbox_oldest_age_seconds") is not None
        await harness.stop("worldservice")
        await eventually(lambda: level("MINIMAL") == 1.0 and session() == 0.0)
        assert level("NORMAL") == 0.0
        assert harness.sample("gateway", "qmtl_dependency_up", dependency="worldservice") == 0.0
        await eventually(
            lambda: harness.sample("gateway", "qmtl_breaker_state", peer="worldservice", state="CLOSED") == 0.0
        )
