"""GraphService: nodes and edges, as readers ask for them."""

from __future__ import annotations

from dagmanager.access import reader_worlds
from dagmanager.graph import reads
from qmtl.core.errors import refused
from qmtl.dag.v1 import graph_service_pb2 as graphservicepb
from qmtl.dag.v1 import graph_service_pb2_grpc as graphrpc
from qmtl.sql.database import Database
from qmtl.wire.paging import page_from_proto


class GraphService(graphrpc.GraphServiceServicer):
    """Reads the graph from one store."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def GetNode(self, request: graphservicepb.GetNodeRequest, context: object) -> graphservicepb.GetNodeResponse:
        worlds = reader_worlds()
        node = await self._db.read(lambda conn: reads.get_node(conn, request.node_id, worlds))
        return graphservicepb.GetNodeResponse(node=node)

    async def ListNodes(
        self, request: graphservicepb.ListNodesRequest, context: object
    ) -> graphservicepb.ListNodesResponse:
        worlds = reader_worlds()
        return await self._db.read(lambda conn: reads.list_nodes(conn, request, worlds))

    async def GetGraph(
        self, request: graphservicepb.GetGraphRequest, context: object
    ) -> graphservicepb.GetGraphResponse:
        worlds, page = reader_worlds(), page_from_proto(request, (str, int))
        match request.WhichOneof("root"):
            case "strategy_id":
                return await self._db.read(lambda conn: reads.strategy_graph(conn, request.strategy_id, page, worlds))
            case "node_id":
                return await self._db.read(
                    lambda conn: reads.neighbourhood(conn, request.node_id, request.depth, page, worlds)
                )
        raise refused("E_GRAPH_ROOT", "root", "missing", "strategy_id or node_id")
