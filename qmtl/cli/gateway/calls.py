"""The CLI's way in: one call through the gateway that options, environment or home name. Knows no contract."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from qmtl.cli.options import Access
from qmtl.config.endpoint import EndpointOptions, find_endpoint
from qmtl.core.errors import DeadlineExceeded, Unavailable
from qmtl.core.roles import Role
from qmtl.core.tasks.ending import end
from qmtl.rpc.client.channel import MeshChannel
from qmtl.rpc.client.gateway import open_gateway, unreachable

Answer = TypeVar("Answer")
LIVE_KEY = "x-allow-live"
QUIET_S = 0.4  # a call that takes longer is looked after: with the look a person hears why within two seconds


def ask(access: Access, call: Callable[[MeshChannel], Awaitable[Answer]], subject: str = "") -> Answer:
    """Run one exchange with the gateway; `subject`: as whom, where the home's own token would be used.

    Raises what the gateway answered, what `find_endpoint` refuses, Unavailable (E_GATEWAY_UNREACHABLE) with the cause
    where the gateway cannot be reached, NotReady (E_NOT_RUNNING) where the local mesh is meant and does not run.
    """
    return asyncio.run(_ask(access, call, subject))


def endpoint_options(access: Access, subject: str = "") -> EndpointOptions:
    """What the options of a command say of the gateway."""
    return EndpointOptions(
        address=access.address,
        token=access.token,
        token_file=access.token_file,
        ca=access.ca,
        cert=access.client_cert,
        key=access.client_key,
        home=access.home,
        config=access.config,
        role=Role[access.role.name],
        subject=subject,
    )


async def _ask(access: Access, call: Callable[[MeshChannel], Awaitable[Answer]], subject: str) -> Answer:
    endpoint = find_endpoint(endpoint_options(access, subject))
    async with open_gateway(endpoint) as channel:
        asking = asyncio.ensure_future(call(channel))
        try:
            answered, _ = await asyncio.wait({asking}, timeout=QUIET_S)
            if not answered and (why := await unreachable(endpoint)) is not None and not asking.done():
                if not why.may_pass:
                    raise why.error
                typer.echo(f"waiting: {why.error.message}", err=True)
            return await asking
        except (Unavailable, DeadlineExceeded) as error:
            why = await unreachable(endpoint)
            raise (error if why is None else why.error) from None
        finally:
            await end(asking)


def live_metadata(*, is_meant: bool) -> tuple[tuple[str, str], ...]:
    """What the gateway's live guard asks of calls that can lead to live trading."""
    return ((LIVE_KEY, "true"),) if is_meant else ()
