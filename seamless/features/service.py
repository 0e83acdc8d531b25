"""FeatureService: features of a world, published and read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from qmtl.core.clock import Clock
from qmtl.core.errors import DataLoss
from qmtl.core.instants import to_ns
from qmtl.core.roles import Role
from qmtl.data.v1 import feature_service_pb2 as featureservicepb
from qmtl.data.v1 import feature_service_pb2_grpc as featurerpc
from qmtl.data.v1 import features_pb2 as featurespb
from qmtl.rpc.auth.call import require_stated, require_user
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.rpc.chunks import gathered
from qmtl.wire.fields import require_text
from qmtl.wire.paging import page_from_proto, page_of
from seamless.domain.features import Feature
from seamless.features import wire
from seamless.features.plane import FeaturePlane
from seamless.wire import range_from_proto


class FeatureServicer(featurerpc.FeatureServiceServicer):
    """Operators of a world publish in it, its readers read."""

    def __init__(self, plane: FeaturePlane, roles: WorldRoles, clock: Clock) -> None:
        self._plane = plane
        self._roles = roles
        self._clock = clock

    async def PublishFeature(
        self, request_iterator: AsyncIterator[featureservicepb.PublishFeatureRequest], context: object
    ) -> featureservicepb.PublishFeatureResponse:
        said = require_stated()
        await self._roles.require_each(said.world_ids, Role.OPERATOR)
        asked = await gathered(request_iterator, said, featurespb.FeaturePublication)
        said.check_worlds([asked.context.world_id])
        where = wire.context_from_proto(asked.context)
        given = wire.publication_from_proto(asked)
        now_ns, subject = to_ns(self._clock.now()), require_user().subject
        made = await self._plane.publish(where, given, subject, now_ns)
        feature = wire.feature_to_proto(made.feature)
        return featureservicepb.PublishFeatureResponse(feature=feature, canary_faults=made.warnings)

    async def ReadFeature(
        self, request: featureservicepb.ReadFeatureRequest, context: object
    ) -> AsyncIterator[featureservicepb.ReadFeatureResponse]:
        where = wire.context_from_proto(request.context)
        await self._roles.require(where.world_id, Role.READER)
        key = wire.key_from_proto(request.key, of_data=False)
        span = range_from_proto(request.range, "range")
        feature = await self._plane.find(where, key)
        parts = self._plane.files.parts(feature, span)
        try:
            while (part := await asyncio.to_thread(next, parts, None)) is not None:
                yield featureservicepb.ReadFeatureResponse(arrow_ipc=part[1])
        except FileNotFoundError as error:
            raise DataLoss("E_STORED_FILE", f"{error.filename} is gone") from error
        yield featureservicepb.ReadFeatureResponse(feature=wire.feature_to_proto(feature))

    async def ListFeatures(
        self, request: featureservicepb.ListFeaturesRequest, context: object
    ) -> featureservicepb.ListFeaturesResponse:
        require_text(request.world_id, "world_id")
        await self._roles.require(request.world_id, Role.READER)
        page = page_from_proto(request, (str, str, str))
        found = await self._plane.listed(request.world_id, request.factor, page)
        features, more = page_of(found, page, _place, wire.feature_to_proto)
        return featureservicepb.ListFeaturesResponse(features=features, page=more)


def _place(feature: Feature) -> tuple[str, str, str]:
    """Where a feature stands in a listing. A key may be longer than a token."""
    return feature.key.factor, feature.key.instrument, feature.fingerprint
