"""What every call meets at the door before its own code: the identity's rate limit and the level of degradation.

Cancels, and what the contract calls reserved but for new orders, always pass. Nothing here knows a body; what needs
one is checked where it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.admission.rate_limits import Buckets
from qmtl.core.clock import Clock
from qmtl.core.errors import Exhausted, Unavailable
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.rpc.auth.call import Call
from qmtl.rpc.rules.methods import MethodRule

OWN = "/qmtl.gateway.v1."
NARROWING = frozenset(f"/qmtl.world.v1.ApplyService/{name}" for name in ("FreezeWorld", "DrainWorld"))
ALWAYS = frozenset(
    f"{OWN}{name}" for name in ("TradingService/CancelOrder", "GatewayStatusService/GetStatus", "EventService/GetJwks")
).union(NARROWING)
NOT_WHEN_MINIMAL = frozenset(
    f"{OWN}{name}" for name in ("StrategyService/SubmitStrategy", "QueueService/AcquireProducer")
)
ORDERS = frozenset(
    f"{OWN}TradingService/{name}" for name in ("SubmitOrder", "SubmitOrderList", "ReplaceOrder", "TradeStream")
).union({"/qmtl.broker.v1.ManualOrderService/SubmitManualOrder"})
LEVEL_RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class Guard:
    """`admit` refuses by raising; a server asks it for each authorised call."""

    buckets: Buckets
    level: Callable[[], gatewaystatuspb.DegradationLevel]
    clock: Clock

    def admit(self, rule: MethodRule, call: Call) -> None:
        """Raises Exhausted (E_RATE_LIMITED), Unavailable (E_DEGRADED)."""
        if rule.name in ALWAYS or call.identity is None:
            return
        if rule.reserved and rule.name not in ORDERS:  # what narrows is refused for no load
            return
        wait_s = self.buckets.take(call.identity.subject, self.clock.monotonic())
        if wait_s > 0:
            detail = f"{call.identity.subject} calls too often"
            raise Exhausted("E_RATE_LIMITED", detail, hint="back off for the time given", retry_after_s=wait_s)
        self._check_level(rule)

    def _check_level(self, rule: MethodRule) -> None:
        level = self.level()
        static = level == gatewaystatuspb.DEGRADATION_LEVEL_STATIC and rule.name.startswith(OWN)
        minimal = level >= gatewaystatuspb.DEGRADATION_LEVEL_MINIMAL and rule.name in NOT_WHEN_MINIMAL
        if static or minimal:
            name = gatewaystatuspb.DegradationLevel.Name(level).removeprefix("DEGRADATION_LEVEL_")
            raise Unavailable(
                "E_DEGRADED", f"the gateway is at level {name}", hint="GetStatus says what is away",
                retry_after_s=LEVEL_RETRY_S,
            )  # fmt: skip
