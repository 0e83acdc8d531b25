"""What Prometheus sees of a gateway, as its peers come and go."""

from __future__ import annotations

from pathlib import Path

from tests.gateway.estate import make_world, running_estate, submitted, trading
from tests.support.waiting import eventually


async def test_level_dependencies_breakers_and_gates_follow_what_happens(tmp_path: Path, nats_url: str) -> None:
    async with running_estate(tmp_path, nats_url, probe_s=0.1) as estate:

        def level(name: str) -> float | None:
            return estate.sample("gateway", "qmtl_gateway_level", level=name)

        def session() -> float | None:
            return estate.sample("gateway", "qmtl_gate_session_valid")

        door = await estate.door()
        world = await make_world(door)
        await trading(door, world, (await submitted(door, world)).strategy_id)
        await eventually(lambda: session() == 1.0 and estate.sample("gateway", "qmtl_gates_held") == 1.0)
        assert estate.sample("gateway", "qmtl_dependency_up", dependency="worldservice") == 1.0
        assert estate.sample("gateway", "qmtl_dependency_up", dependency="credentials") == 1.0
        assert estate.sample("gateway", "qmtl_breaker_state", peer="worldservice", state="CLOSED") == 1.0
        assert estate.sample("gateway", "qmtl_outbox_oldest_age_seconds") is not None
        await estate.stop("worldservice")
        await eventually(lambda: level("MINIMAL") == 1.0 and session() == 0.0)
        assert level("NORMAL") == 0.0
        assert estate.sample("gateway", "qmtl_dependency_up", dependency="worldservice") == 0.0
        await eventually(
            lambda: estate.sample("gateway", "qmtl_breaker_state", peer="worldservice", state="CLOSED") == 0.0
        )
