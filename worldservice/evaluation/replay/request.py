"""Order lists: checked and named when they come, and what brokerage is asked to make of them."""

from __future__ import annotations

from collections.abc import Sequence

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.core.errors import refused
from qmtl.core.identity.canonical import digest
from qmtl.wire.fields import require_text
from qmtl.wire.instants import ns_from_proto
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from worldservice.worlds.domain.binding import require_strategy_id

ORDERS_MAX = 50_000
FINGERPRINTS_MAX = 16


def named_list(message: evaluationpb.OrderList) -> tuple[str, bytes]:
    """The hash and the bytes of a list. Raises InvalidRequest (E_FIELD, E_TOO_LARGE, E_STRATEGY_ID).

    What the orders say is brokerage's to judge. That numbers begin before the first order is judged here: who could
    choose where they begin could leave a loss out.
    """
    require_strategy_id(message.strategy_id)
    for field, many in (("orders", len(message.orders)), ("cancels", len(message.cancels))):
        if many > ORDERS_MAX:
            raise refused("E_TOO_LARGE", field, many, f"at most {ORDERS_MAX}")
    prints = [require_text(one, "dataset_fingerprints") for one in message.dataset_fingerprints]
    if not 1 <= len(prints) <= FINGERPRINTS_MAX or len(set(prints)) < len(prints):
        raise refused("E_FIELD", "dataset_fingerprints", len(prints), f"1 to {FINGERPRINTS_MAX}, each once")
    if message.orders and message.HasField("equity_after"):
        first = min(ns_from_proto(one.decided_at, "orders.decided_at") for one in message.orders)
        after = ns_from_proto(message.equity_after, "equity_after")
        if after >= first:
            raise refused("E_FIELD", "equity_after", after, f"before the first order, decided at {first}")
    body = message.SerializeToString(deterministic=True)
    return digest(body), body


def replay_request(body: bytes, account: accountpb.AccountModel) -> replaypb.OrderReplay:
    """What brokerage is asked: the list in an account of the world's, in the list's currency."""
    listed = evaluationpb.OrderList.FromString(body)
    asked = replaypb.OrderReplay(
        world_id=listed.world_id,
        strategy_id=listed.strategy_id,
        orders=listed.orders,
        cancels=listed.cancels,
        dataset_fingerprints=listed.dataset_fingerprints,
        account_model=account,
    )
    asked.account_model.base_currency = listed.base_currency
    if listed.HasField("range"):
        asked.range.CopyFrom(listed.range)
    if listed.HasField("equity_after"):
        asked.equity_after.CopyFrom(listed.equity_after)
    return asked


def told(message: evaluationpb.OrderList) -> str:
    """A list as the audit log tells it, which does not keep the orders themselves."""
    return f"{len(message.orders)} orders, {len(message.cancels)} cancels of {message.strategy_id[:80]!r}"


def data_fingerprint(prints: Sequence[str]) -> str:
    """What a run says that it is of: the one fingerprint, or the digest of several, sorted, a line each."""
    return prints[0] if len(prints) == 1 else digest("\n".join(sorted(prints)).encode())
