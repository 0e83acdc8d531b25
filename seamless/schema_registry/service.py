"""SchemaService: the schema registry over the wire."""

from __future__ import annotations

from qmtl.core.clock import Clock
from qmtl.core.instants import to_ns
from qmtl.core.roles import Role
from qmtl.data.v1 import schema_service_pb2 as schemaservicepb
from qmtl.data.v1 import schema_service_pb2_grpc as schemarpc
from qmtl.rpc.auth.call import require_all_worlds, require_user
from qmtl.wire.fields import optional_text
from qmtl.wire.paging import page_from_proto, page_of
from seamless.domain.row_schemas import Promotion
from seamless.schema_registry import wire
from seamless.schema_registry.registry import SchemaRegistry


class SchemaServicer(schemarpc.SchemaServiceServicer):
    """Everybody reads; operators of all worlds register and promote."""

    def __init__(self, registry: SchemaRegistry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    async def RegisterSchema(
        self, request: schemaservicepb.RegisterSchemaRequest, context: object
    ) -> schemaservicepb.RegisterSchemaResponse:
        require_all_worlds(Role.OPERATOR)
        columns = [wire.column_from_proto(one, f"columns[{place}]") for place, one in enumerate(request.columns)]
        now_ns = to_ns(self._clock.now())
        found, stage = await self._registry.register(request.name, columns, require_user().subject, now_ns)
        return schemaservicepb.RegisterSchemaResponse(schema=wire.version_to_proto(found, stage))

    async def ListSchemas(
        self, request: schemaservicepb.ListSchemasRequest, context: object
    ) -> schemaservicepb.ListSchemasResponse:
        page = page_from_proto(request, (str, int, int))
        rows = await self._registry.versions(page.after, page.size + 1)
        schemas, more = page_of(rows, page, lambda row: row[0].key, lambda row: wire.version_to_proto(*row))
        return schemaservicepb.ListSchemasResponse(schemas=schemas, page=more)

    async def PromoteSchema(
        self, request: schemaservicepb.PromoteSchemaRequest, context: object
    ) -> schemaservicepb.PromoteSchemaResponse:
        require_all_worlds(Role.OPERATOR)
        number, stage = wire.number_from_proto(request.version), wire.stage_from_proto(request.stage)
        cause = optional_text(request.cause, "cause")
        now_ns, subject = to_ns(self._clock.now()), require_user().subject
        found, stage = await self._registry.promote(request.name, number, stage, subject, now_ns, cause)
        return schemaservicepb.PromoteSchemaResponse(schema=wire.version_to_proto(found, stage))

    async def ListSchemaPromotions(
        self, request: schemaservicepb.ListSchemaPromotionsRequest, context: object
    ) -> schemaservicepb.ListSchemaPromotionsResponse:
        page = page_from_proto(request, (int,))
        acts = list(enumerate(await self._registry.promotions(request.name), start=1))
        rest = [row for row in acts if page.after is None or row[0] > page.after[0]]

        def place(row: tuple[int, Promotion]) -> tuple[int]:
            return (row[0],)

        shown, more = page_of(
            rest[: page.size + 1], page, place, lambda row: wire.promotion_to_proto(request.name, row[1])
        )
        return schemaservicepb.ListSchemaPromotionsResponse(promotions=shown, page=more)
