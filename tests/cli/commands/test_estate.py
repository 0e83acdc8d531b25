"""Every command against one real mesh: what it prints for people, what for programs, and how it refuses."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path

import pytest

from qmtl.cli.commands.world.events import follow, resume_token
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.gateway.v1 import service_pb2 as servicepb
from tests.cli.conftest import CUT, PRESET, ROOT, WORLD, Estate
from tests.cli.show.drawing.test_canvas import edges_in
from tests.mesh.door import open_door

pytestmark = pytest.mark.timeout(180)
STRICT = 'data_currency: {max_lag: 1d}\nselection: {gates: {and: ["n_trades >= 100000"]}}\n'


def test_graph_is_drawn_with_what_is_shared(estate: Estate) -> None:
    text = estate.ask("graph", "show", estate.trend)
    names = {(one.split()[0], other.split()[0]) for one, other in edges_in(text)}
    assert names == {
        ("BTC-USD", "ema_192"), ("ema_192", "slope"), ("slope", "threshold"),
        ("threshold", "target"), ("target", "orders"), ("BTC-USD", "orders"),
    }  # fmt: skip
    assert "ema_192 ◆ ⇄1" in text
    assert "◆ was in the graph before" in text
    assert estate.ask("graph", "show", estate.trend, "--ascii").isascii()
    assert "⇄" in estate.ask("graph", "show", estate.cross)
    assert "E_PLAN_UNKNOWN" in estate.refused("graph", "show", "nobody")


def test_graph_as_json_dot_and_one_node(estate: Estate) -> None:
    document = estate.json("graph", "show", estate.trend)
    reused = {node["name"] for node in document["nodes"] if node["is_reused"]}
    assert reused == {"BTC-USD", "ema_192"}
    dot = estate.ask("graph", "show", estate.trend, "--dot")
    assert dot.startswith("digraph")
    assert dot.count(" -> ") == 6
    source = next(node for node in document["nodes"] if node["name"] == "BTC-USD")
    bare = source["node_id"].removeprefix("blake3:")
    shown = estate.ask("graph", "node", bare)
    assert "StreamInput" in shown
    assert estate.cross in shown
    assert estate.json("graph", "node", bare)["node"]["node_id"] == source["node_id"]
    assert "E_NODE_UNKNOWN" in estate.refused("graph", "node", "blake3:" + "0" * 64)


def test_queues_by_world_domain_and_strategy(estate: Estate) -> None:
    backtest = estate.json("queues", "list", "--world", WORLD, "--domain", "backtest")
    assert len(backtest) == 10  # twelve nodes, two of them shared
    mine = estate.json("queues", "list", "--strategy", estate.cross, "--domain", "backtest")
    assert len(mine) == 6
    assert len(estate.json("queues", "list", "--world", WORLD, "--limit", "3")) == 3
    table = estate.ask("queues", "list", "--world", WORLD)
    assert f"{WORLD}.backtest.BTC-USD_StreamInput" in table
    key = mine[0]["compute_key"]
    assert estate.json("queues", "show", key.removeprefix("blake3:")) == mine[0]
    assert mine[0]["topic"] in estate.ask("queues", "show", key)


def test_snapshot_is_written_and_found_sound(estate: Estate, tmp_path: Path) -> None:
    written = estate.json("graph", "snapshot", "export", "test/graph.snapshot")
    assert written["content_hash"] in estate.ask("graph", "snapshot", "verify", "test/graph.snapshot")
    assert estate.json("graph", "snapshot", "verify", "test/graph.snapshot")["current"] is True
    estate.refused("graph", "snapshot", "verify", "test/none")
    assert "E_URL" in estate.refused("graph", "snapshot", "export", tmp_path / "elsewhere")


def test_queue_statistics(estate: Estate) -> None:
    stats = estate.json("queues", "stats", "--world", WORLD, "--domain", "backtest")
    assert len(stats) == 10
    one = estate.json("queues", "stats", stats[0]["compute_key"])
    assert [entry["compute_key"] for entry in one] == [stats[0]["compute_key"]]
    assert f"{WORLD}.backtest." in estate.ask("queues", "stats", "--world", WORLD)


def test_garbage_is_reported_without_dropping(estate: Estate) -> None:
    reply = estate.json("gc", "--dry-run")
    assert reply["processed"] == 0
    assert "dry run, nothing was dropped" in estate.ask("gc", "--dry-run")


def test_weight_of_a_version(estate: Estate) -> None:
    (sentinel,) = estate.json("sentinel", "list", estate.cross)
    half = estate.json("sentinel", "set", sentinel["sentinel_id"], "0.5", "--etag", sentinel["etag"])
    assert half["traffic_weight"] == 0.5
    assert "E_ETAG_MISMATCH" in estate.refused(
        "sentinel", "set", sentinel["sentinel_id"], "1", "--etag", sentinel["etag"]
    )
    assert estate.json("sentinel", "set", sentinel["sentinel_id"], "1")["traffic_weight"] == 1
    usage = estate.invoke("sentinel", "set", sentinel["sentinel_id"], "1.5", "--home", estate.mesh.home)
    assert usage.returncode == 2


def test_explain_tells_who_is_in_who_is_out_and_why(estate: Estate) -> None:
    document = estate.json("world", "explain", WORLD)
    chosen = {one["strategy_id"]: one for one in document["strategies"]}
    assert (chosen[estate.cross]["selected"], chosen[estate.trend]["selected"]) == (True, False)
    text = estate.ask("world", "explain", WORLD, "--as", "reader")
    inside, outside = text.split("\n\n")[1:]
    assert inside.startswith(f"IN   ema-cross ({estate.cross}): ")
    assert "n_trades >= 1 " in inside
    assert "long trades in PAPER at weight 1" in inside
    assert outside.startswith(f"OUT  ema-trend ({estate.trend}): top total 1: all slots are taken by better ranks")
    assert "[NOT_IN_TOP_K]" in outside
    assert f"qmtl world activate {WORLD} {estate.trend} --stage paper" in outside
    assert "live trading is not allowed in this world [LIVE_NOT_ALLOWED]" in text


def test_a_failed_gate_is_explained_with_its_number(estate: Estate, tmp_path: Path) -> None:
    world = f"w-{uuid.uuid4().hex[:8]}"
    (tmp_path / "strict.yaml").write_text(STRICT, encoding="utf-8")
    estate.ask("world", "create", world, "--preset", PRESET, "--policy", tmp_path / "strict.yaml")
    estate.ask("submit", ROOT / "examples" / "ema_cross.py", "--world", world, "--end", CUT.isoformat())
    text = estate.ask("world", "explain", world)
    assert f"world {world} only computes" in text
    assert "n_trades >= 100000: does not hold: n_trades = " in text
    assert "the policy selects none of its strategies [NOTHING_SELECTED]" in text


def test_policy_from_a_preset(estate: Estate) -> None:
    world = f"w-{uuid.uuid4().hex[:8]}"
    estate.ask("world", "create", world, "--preset", PRESET)
    assert "there is no policy: qmtl world policy set [NO_POLICY]" in estate.ask("world", "explain", world)
    assert estate.json("world", "policy", "set", world, "--preset", "sandbox")["version"] == 1
    assert "sandbox" in estate.refused("world", "policy", "set", world, "--preset", "none")
    assert "# conservative" in estate.ask("world", "policy", "presets")
    assert "E_POLICY_OPTIONS" in estate.refused("world", "policy", "set", world)


def test_evaluate_again_with_the_latest_numbers(estate: Estate) -> None:
    reply = estate.json("world", "evaluate", WORLD, estate.trend)
    assert reply["run"]["report"]["summary"] == "EVALUATION_SUMMARY_FAIL"
    assert "top total 1" in estate.ask("world", "evaluate", WORLD, estate.trend)
    assert "E_METRIC_OPTION" in estate.refused("world", "evaluate", WORLD, estate.trend, "--metric", "sharpe=x")


def test_apply_in_two_phases_and_approval_to_go_live(estate: Estate) -> None:
    run = estate.json("world", "apply", WORLD, "--target", f"{estate.cross}:long=0.5@paper", "--run", "half")
    assert run["state"] == "APPLY_STATE_COMPLETED"
    assert "long trades in PAPER at weight 0.5" in estate.ask("world", "explain", WORLD)
    text = estate.ask("world", "apply", WORLD, "--target", f"{estate.cross}:long=1@paper")
    assert "COMPLETED" in text
    assert "E_APPLY_OPTIONS" in estate.refused("world", "apply", WORLD)
    assert "E_TARGET_OPTION" in estate.refused("world", "apply", WORLD, "--target", "x:both=1")
    assert "E_RUN_UNKNOWN" in estate.refused("world", "resume", WORLD, "nothing")
    approve = ("world", "approve-live", WORLD, estate.cross, "--as", "owner")
    assert "add --allow-live" in estate.refused(*approve)
    approved = estate.json(*approve, "--allow-live", "--for", "2d", "--reason", "test")
    assert (approved["approved_by"], approved["reason"]) == ("dev-owner", "test")
    assert "E_LIFE" in estate.refused(*approve, "--for", "ever")
    assert estate.json("world", "revoke-live", WORLD, estate.cross)["revoked_at"]


def test_roles_and_audit(estate: Estate) -> None:
    granted = estate.json("world", "grant", WORLD, "alice", "reader", "--as", "owner")
    assert (granted["subject"], granted["role"]) == ("alice", "ROLE_READER")
    assert "alice" in estate.ask("world", "grants", WORLD)
    assert "alice" in estate.ask("world", "revoke", WORLD, "alice", "--as", "owner")
    assert "alice" not in estate.ask("world", "grants", WORLD)
    assert "E_ROLE_REQUIRED" in estate.refused("world", "grant", WORLD, "bob", "owner", "--as", "reader")
    events = [entry["event"] for entry in estate.json("world", "audit", WORLD, "--limit", "3")]
    assert events == ["Grant", "Revoke", "Grant"]
    assert "REFUSED" in estate.ask("world", "audit", WORLD)


def test_the_audit_log_rebuilds_the_activation(estate: Estate) -> None:
    for weight in ("0.5", "1"):
        estate.ask("world", "activate", WORLD, estate.cross, "--weight", weight)
    rebuilt = estate.json("world", "rebuild", WORLD)
    assert rebuilt["same_as_stored"]
    assert rebuilt["activation"]["entries"]
    assert "the same as what is stored" in estate.ask("world", "rebuild", WORLD, "--as", "reader")
    assert "as it was then" in estate.ask("world", "rebuild", WORLD, "--revision", "1")


def test_orders_fills_and_books(estate: Estate) -> None:
    orders = estate.json("orders", "list", "--world", WORLD)
    assert len(orders) >= 2
    name = orders[0]["order"]["client_order_id"]
    shown = estate.json("orders", "show", name, "--account", estate.account)
    assert shown["order"] == orders[0]["order"]
    assert {fill["client_order_id"] for fill in shown["fills"]} == {name}
    assert "FILLED" in estate.ask("orders", "list", "--account", estate.account)
    assert "venue time" in estate.ask("orders", "show", name)
    closed = estate.json("orders", "cancel", name)
    assert closed["state"] == "ORDER_STATE_FILLED"
    assert "E_ORDER_UNKNOWN" in estate.refused("orders", "show", "nothing")
    (book,) = estate.json("portfolio", "--world", WORLD)
    assert book["account"] == estate.account
    assert f"{book['equity']} USD" in estate.ask("portfolio")


def test_data(estate: Estate) -> None:
    (ready,) = [one for one in estate.json("data", "list") if one["state"] == "DATASET_STATE_READY"]
    assert ready["dataset"] in estate.ask("data", "list")
    assert PRESET in estate.ask("data", "presets")
    whole = estate.json("data", "coverage", PRESET)
    day = estate.json("data", "coverage", PRESET, "--start", "2021-12-20", "--end", "2021-12-21")
    assert len(whole["gaps"]) > len(day["gaps"]) == 0
    assert "gaps: 9" in estate.ask("data", "coverage", PRESET)
    assert "rows in" in estate.ask("data", "conformance", PRESET)
    assert "E_DATASET_UNKNOWN" in estate.refused("data", "conformance", "nothing")
    assert "E_TIME" in estate.refused("data", "coverage", PRESET, "--start", "yesterday")


def test_status_shows_every_service_and_the_bus(estate: Estate) -> None:
    document = estate.json("status")
    assert {one["service"] for one in document["services"]} == {
        "gateway", "dagmanager", "worldservice", "brokerage", "seamless", "controlbus",
    }  # fmt: skip
    assert not any(one["error"] for one in document["services"])
    assert document["bus"]["streams"]
    text = estate.ask("status")
    for word in ("gateway level NORMAL", "breaker", "outbox", "order gates", "CLOSED", WORLD):
        assert word in text


def test_strategy_history(estate: Estate) -> None:
    states = [
        step["state"].removeprefix("STRATEGY_STATE_") for step in estate.json("strategy", "history", estate.cross)
    ]
    assert (states[0], states[-1]) == ("QUEUED", "COMPLETED")
    assert "PROCESSING" in estate.ask("strategy", "history", estate.cross)


def test_a_file_that_is_no_strategy_is_refused_in_one_line(estate: Estate, tmp_path: Path) -> None:
    broken = tmp_path / "broken_strategy.py"
    broken.write_text("import nothing_of_that_name\n", encoding="utf-8")
    refusal = estate.refused("submit", broken, "--world", WORLD)
    assert refusal.startswith(f"error: E_STRATEGY_FILE: {broken}:1: ModuleNotFoundError")
    assert len(refusal.splitlines()) == 1
    assert "E_WORLD_UNKNOWN" in estate.refused("submit", ROOT / "examples" / "ema_cross.py", "--world", "nowhere")


def test_tail_resumes_after_a_token_without_repeating(estate: Estate) -> None:
    topics = ("--topics", "policy", "--topics", "activation")
    first = estate.ask("events", "tail", "--world", WORLD, *topics, "--tokens", "--count", "3").splitlines()
    assert [line.split()[2] for line in first if " = " in line] == ["activation_updated", "policy_updated"]
    token = first[-1].removeprefix("-- resume ")
    estate.ask("world", "activate", WORLD, estate.cross, "--weight", "0.25")
    (line,) = estate.ask("events", "tail", "--world", WORLD, *topics, "--resume", token, "--count", "1").splitlines()
    assert "activation_updated" in line
    assert f"{estate.cross} long active 0.25" in line
    estate.ask("world", "activate", WORLD, estate.cross, "--weight", "1")
    as_json = estate.ask("events", "tail", "--world", WORLD, *topics, "--json", "--count", "1")
    assert json.loads(as_json)["snapshot"]["topic"] == "TOPIC_ACTIVATION"


async def test_tail_goes_on_by_itself_when_the_gateway_is_killed(estate: Estate) -> None:
    seen: list[controlpb.ControlEvent] = []
    mesh, news = estate.mesh, asyncio.Event()
    request = servicepb.CreateEventStreamRequest(world_id=WORLD, topics=["TOPIC_POLICY"])

    async def watch() -> None:
        async with open_door(mesh.address("gateway"), mesh.home) as door:
            async for frame in follow(door.gateway, request, "", 60.0):
                seen.extend([*frame.snapshot.states, *frame.events.events])
                if resume_token(frame):  # a break before that begins with the state again
                    news.set()

    watching = asyncio.create_task(watch())
    await asyncio.wait_for(news.wait(), 20)
    pid = mesh.kill("gateway")
    await asyncio.to_thread(mesh.wait_ready, "gateway", other_than=pid)
    news.clear()
    await asyncio.to_thread(estate.ask, "world", "policy", "set", WORLD, "--preset", "sandbox")
    async with asyncio.timeout(30):
        while not any(event.policy_updated.policy_version == 2 for event in seen):
            await news.wait()
            news.clear()
    watching.cancel()
    versions = [event.policy_updated.policy_version for event in seen if event.HasField("policy_updated")]
    assert versions == [1, 2]
