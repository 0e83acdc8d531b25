"""Which service may call what with its own token, without a user behind it.

Patterns are full method names, `/package.Service/Method`, or `/package.Service/*`. A service not in
the table is nobody: its token opens nothing and forwards nobody. `operator` is the identity of people
at a terminal: it reads everything, everywhere, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EDGE: Final = "gateway"  # the one service users call

CONTROL: Final = "/qmtl.control.v1.ControlBusService"
DAG: Final = "/qmtl.dag.v1.DagManagerService"
WORLD: Final = "/qmtl.world.v1.WorldService"
BROKER: Final = "/qmtl.broker.v1.BrokerageService"
DATA: Final = "/qmtl.data.v1.DataService"
GATEWAY: Final = "/qmtl.gateway.v1.GatewayService"

GRANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "gateway": (f"{DAG}/*", f"{WORLD}/*", f"{BROKER}/*", f"{DATA}/*", f"{CONTROL}/*"),
    "worldservice": (f"{DAG}/*", f"{BROKER}/*", f"{DATA}/*"),
    "dagmanager": (),
    "brokerage": (f"{WORLD}/*", f"{DATA}/*"),
    "seamless": (),
    "controlbus": (),
    "operator": (),
}
READS_EVERYTHING: Final = frozenset({"operator"})


def is_known(service: str) -> bool:
    """Whether a service identity is one of the mesh's."""
    return service in GRANTS


def allows(service: str, method: str, *, read: bool) -> bool:
    """Whether `service` may call `method` for itself; `read`: the contract says it has no side effects."""
    if read and service in READS_EVERYTHING:
        return True
    whole_service = method.rpartition("/")[0] + "/*"
    return any(pattern in (method, whole_service) for pattern in GRANTS.get(service, ()))
