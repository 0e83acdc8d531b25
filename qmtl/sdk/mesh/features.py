"""Features of a world: what a submission publishes, and what anybody with a role in the world reads."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Unavailable
from qmtl.core.identity.canonical import Json
from qmtl.core.instants import to_ns
from qmtl.data.v1 import feature_service_pb2 as featureservicepb
from qmtl.data.v1 import features_pb2 as featurespb
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.engine.series import Outputs
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.names import parse_interval
from qmtl.sdk.mesh.client import Client, Gateway, open_client
from qmtl.sdk.mesh.history import Fetched
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.strategy.features import PublishRule
from qmtl.sdk.streams.features import features_of
from qmtl.wire.graph import params_to_struct
from qmtl.wire.instants import ns_to_proto

if TYPE_CHECKING:
    import polars as pl

WRITERS = (commonpb.EXECUTION_DOMAIN_BACKTEST, commonpb.EXECUTION_DOMAIN_DRYRUN)
log = logging.getLogger("qmtl.sdk.mesh")


@dataclass(frozen=True, slots=True)
class FeatureName:
    """What a feature is called, without the data that it was computed from."""

    factor: str
    instrument: str
    interval_s: int
    params: Mapping[str, Json]

    def key(self, fingerprint: str) -> featurespb.FeatureKey:
        """The key over the data of a fingerprint; empty: the newest that a reader sees."""
        made = featurespb.FeatureKey(
            factor=self.factor,
            instrument=self.instrument,
            params=params_to_struct(self.params),
            dataset_fingerprint=fingerprint,
        )
        made.interval.FromSeconds(self.interval_s)
        return made


async def publish_features(
    retrying: RetryingClient,
    context: commonpb.ComputeContext,
    rules: Sequence[PublishRule],
    outputs: Outputs,
    fetched: Fetched,
) -> tuple[featurespb.Feature, ...]:
    """Keep the outputs of nodes over fetched bars, where the domain of the run publishes; a node without a value has
    nothing to keep. Raises what FeatureService.PublishFeature says.
    """
    if rules and context.execution_domain not in WRITERS:
        domain = commonpb.ExecutionDomain.Name(context.execution_domain)
        log.info("%d features are not published: %s only reads them", len(rules), domain)
        return ()
    where = seen_in(context, fetched.metadata.as_of)
    places = {(bars.symbol, bars.interval_s): place for place, bars in enumerate(fetched.bars)}
    made = []
    for rule in rules:
        series = outputs[rule.node]
        if not len(series):
            log.warning("feature %s is not published: %s has no value", rule.factor, rule.node.name)
            continue
        source, place = rule.source, places[(rule.source.symbol, rule.source.interval_s)]
        name = FeatureName(rule.factor, source.symbol, rule.node.interval_s, rule.params)
        asked = featurespb.FeaturePublication(
            context=where,
            key=name.key(fetched.digests[place]),
            artifact_fingerprint=fetched.sealed[place],
            arrow_ipc=_arrow(rule, outputs),
            schema=rule.schema,
        )
        reply = await _published(retrying, Chunked(featureservicepb.PublishFeatureRequest, asked, [where.world_id]))
        for fault in reply.canary_faults:
            log.warning("feature %s does not fit the schema in canary: %s", rule.factor, fault)
        made.append(reply.feature)
    return tuple(made)


def seen_in(context: commonpb.ComputeContext, as_of: Timestamp) -> commonpb.ComputeContext:
    """A context pinned to a snapshot of its data."""
    pinned = commonpb.ComputeContext()
    pinned.CopyFrom(context)
    pinned.as_of.CopyFrom(as_of)
    return pinned


async def _published(
    retrying: RetryingClient, chunks: Chunked[featureservicepb.PublishFeatureRequest]
) -> featureservicepb.PublishFeatureResponse:
    return await retrying.ask(lambda: retrying.client.features.PublishFeature(chunks.again()), "publish")


async def read_feature(
    gateway: Gateway, world: str, name: FeatureName, as_of: datetime | None, fingerprint: str
) -> pl.DataFrame:
    """Rows of a feature: `time` (UTC) and its values. With as_of what a backtest there sees, else the newest."""
    domain = commonpb.EXECUTION_DOMAIN_LIVE if as_of is None else commonpb.EXECUTION_DOMAIN_BACKTEST
    where = commonpb.ComputeContext(world_id=world, execution_domain=domain)
    if as_of is not None:
        where.as_of.CopyFrom(ns_to_proto(to_ns(as_of)))
    async with open_client(gateway) as client:
        return await _rows(client, featureservicepb.ReadFeatureRequest(context=where, key=name.key(fingerprint)))


async def bind_published(retrying: RetryingClient, where: commonpb.ComputeContext, dag: Dag) -> None:
    """Give each node that reads a feature the rows that a context sees. Raises NotReady (E_FEATURE_MISSING)."""
    for column in features_of(dag).values():
        source = column.source
        name = FeatureName(source.factor, source.instrument, source.interval_s, source.params)
        request = featureservicepb.ReadFeatureRequest(context=where, key=name.key(""))
        column.bind(await retrying.ask(partial(_rows, retrying.client, request), "feature"))


async def _rows(client: Client, request: featureservicepb.ReadFeatureRequest) -> pl.DataFrame:
    import polars as pl

    parts, feature = [], None
    with scoped(client.features.ReadFeature(request)) as replies:
        async for reply in replies:
            if reply.WhichOneof("part") == "feature":
                feature = reply.feature
            else:
                parts.append(pl.read_ipc_stream(io.BytesIO(reply.arrow_ipc)))
    if feature is None:
        raise Unavailable("E_STREAM_ENDED", "the answers ended before it was said what the feature is")
    empty = pl.DataFrame(schema={"time_ns": pl.Int64, **dict.fromkeys(feature.columns, pl.Float64())})
    rows = pl.concat([empty, *parts])
    time = pl.from_epoch("time_ns", time_unit="ns").dt.replace_time_zone("UTC").alias("time")
    return rows.select(time, pl.exclude("time_ns"))


def feature_name(factor: str, instrument: str, interval: str, params: Mapping[str, Json] | None) -> FeatureName:
    """A name as authors write it. Raises InvalidRequest (E_INTERVAL)."""
    return FeatureName(factor, instrument, parse_interval(interval), dict(params or {}))


def _arrow(rule: PublishRule, outputs: Outputs) -> bytes:
    import polars as pl

    series = outputs[rule.node]
    columns = {name: series.rows[:, place] for place, name in enumerate(rule.node.schema.fields)}
    return pl.DataFrame({"time_ns": series.time_ns, **columns}).write_ipc_stream(None).getvalue()
