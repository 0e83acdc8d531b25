"""The typed layer over JetStream that every service uses, and the operator's service."""

import sys

# Wherever aiohttp is installed nats-py loads it, for brokers behind a WebSocket, which are not served: a third of a
# second of CPU in each process. It is hidden for that one import; who needs it later finds it.
if "aiohttp" not in sys.modules:
    sys.modules["aiohttp"] = None  # type: ignore[assignment]  # makes the import fail, as documented
    import nats.aio.transport  # noqa: F401

    del sys.modules["aiohttp"]
