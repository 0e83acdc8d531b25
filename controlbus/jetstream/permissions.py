"""What each service may say and hear on the broker: one NATS user per service, least rights, secrets in files of 0600.

    write_seeds(home)                       # makes <home>/keys/nats/<service>.nk once; the public keys
    authorization(write_seeds(home))         # the `authorization` block of nats.conf

The table below is the one place; `docs/controlbus.md` says how to use it for a broker of your own. Only the operator
service creates, changes or empties streams; the others wait for it at the first start. A subject is a service's own
when its state is: nobody else may publish there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controlbus.jetstream import subjects
from controlbus.jetstream.connection import nudge_subject
from qmtl.config.files import write_private

API = "$JS.API"
SEED_SUFFIX = ".nk"
DATA_STREAMS = ("DATA_RAW", "DATA_INDICATOR", "DATA_TRADE")
EVERYBODY_READS = ("CONTROL", "KV_leases", "KV_limits")


@dataclass(frozen=True, slots=True)
class Rights:
    """Beyond what everybody may: event types and other subjects to publish, streams to read, streams to purge."""

    types: tuple[str, ...] = ()
    publishes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    purges: tuple[str, ...] = ()
    operates: bool = False


RIGHTS: Mapping[str, Rights] = {
    "gateway": Rights(
        types=("strategy_state_changed",),
        publishes=(f"{subjects.INGEST}.>", f"{subjects.DATA}.>", "$KV.leases.producer.>"),
        reads=("INGEST", "ORDERS", "FILLS", *DATA_STREAMS),
    ),
    "dagmanager": Rights(
        types=("queue_updated", "queue_lifecycle", "sentinel_weight_updated", "world_queues_updated"),
        reads=DATA_STREAMS,
        purges=DATA_STREAMS,
    ),
    "worldservice": Rights(
        types=(
            "activation_updated",
            "activation_acked",
            "policy_updated",
            "decision_updated",
            "rebalancing_planned",
            "allocation_updated",
            "rebalance_state_changed",
            "risk_snapshot_updated",
            "risk_breached",
            "account_limits_updated",
            "evaluation_run_updated",
            "exit_signal_emitted",
            "campaign_updated",
            "promotion_updated",
            "divergence_reported",
        ),
        reads=("ORDERS", "FILLS"),
    ),
    "brokerage": Rights(publishes=(f"{subjects.ORDERS}.>", f"{subjects.FILLS}.>", "$KV.limits.>")),
    "seamless": Rights(publishes=("$KV.limits.>",)),
    "controlbus": Rights(operates=True),
}


def publish_subjects(service: str) -> list[str]:
    """What a service may publish to. Raises KeyError for an unknown service."""
    rights = RIGHTS[service]
    if rights.operates:
        return ["qmtl.>", f"{API}.>", "$JS.ACK.>", "$KV.>", nudge_subject(service)]
    return [
        nudge_subject(service),
        *(f"{subjects.CONTROL}.{kind}.>" for kind in rights.types),
        *rights.publishes,
        f"{subjects.DLQ}.>",
        f"$KV.leases.{service}.>",
        f"{API}.INFO",
        f"{API}.STREAM.INFO.*",
        *(each for stream in (*EVERYBODY_READS, *rights.reads) for each in _reading(stream)),
        *(f"{API}.STREAM.PURGE.{stream}" for stream in rights.purges),
    ]


def subscribe_subjects(service: str) -> list[str]:
    """What a service may subscribe to: the answers to itself; messages of streams come there, too."""
    return [f"_INBOX.{subjects.token(service)}.>"]


def _reading(stream: str) -> list[str]:
    return [
        f"{API}.STREAM.MSG.GET.{stream}",
        f"{API}.CONSUMER.CREATE.{stream}.>",
        f"{API}.CONSUMER.INFO.{stream}.*",
        f"{API}.CONSUMER.MSG.NEXT.{stream}.*",
        f"{API}.CONSUMER.DELETE.{stream}.*",
        f"$JS.ACK.{stream}.>",
    ]


def authorization(public_keys: Mapping[str, str]) -> str:
    """The block of nats.conf for services and their public nkeys."""
    users = [
        f'  {{ nkey: "{key}", permissions: {{ publish: {json.dumps(publish_subjects(service))}, '
        f"subscribe: {json.dumps(subscribe_subjects(service))} }} }}"
        for service, key in sorted(public_keys.items())
    ]
    return "authorization { users = [\n" + ",\n".join(users) + "\n] }\n"


def seed_path(home: Path, service: str) -> Path:
    return home / "keys" / "nats" / f"{service}{SEED_SUFFIX}"


def write_seeds(home: Path) -> dict[str, str]:
    """Make the seed of each service unless it is there; returns their public keys by service."""
    return {service: _public_key(seed_path(home, service)) for service in RIGHTS}


def _public_key(path: Path) -> str:
    import nkeys  # type: ignore[import-untyped]  # ships no stubs; here, since only who starts a broker needs it

    if not path.exists():
        write_private(path, nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER).decode())
    key: bytes = nkeys.from_seed(bytearray(path.read_bytes())).public_key
    return key.decode()
