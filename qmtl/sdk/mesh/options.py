"""What submissions and sessions take beside their world, each named, typed and explained once."""

from __future__ import annotations

from typing import TypedDict

from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.mesh.client import Gateway
from qmtl.sdk.mesh.history import History
from qmtl.sdk.mesh.session.events import OnEvent
from qmtl.sdk.mesh.session.terms import SessionTerms


class SubmitOptions(TypedDict, total=False):
    """What a submission takes beside its world.

    `data` names a preset (default: the world's first), `history` the stretch to evaluate. `terms` name neither a
    profile nor cash that differ from the world's. `supersede` cancels older versions of the strategy (the same name,
    other code) at the end. `gateway`: where it is, the token, and how long an outage may last.
    """

    data: str | None
    history: History | None
    terms: AccountTerms | None
    gateway: Gateway | None
    supersede: bool


class SessionOptions(TypedDict, total=False):
    """What a run takes beside its world: `data` and `gateway` as of SubmitOptions.

    `terms.until` ends it early. `on_event` hears of each bar, fill and denied order as it comes. A strategy that the
    world has made LIVE is run only with `allow_live`, and its orders go to an exchange.
    """

    data: str | None
    terms: SessionTerms | None
    gateway: Gateway | None
    on_event: OnEvent | None
    allow_live: bool
