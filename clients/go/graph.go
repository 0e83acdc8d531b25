package main

import (
	"context"
	"fmt"

	"github.com/qmtl/qmtl/client"
	dagv1 "github.com/qmtl/qmtl/gen/go/qmtl/dag/v1"
	gatewayv1 "github.com/qmtl/qmtl/gen/go/qmtl/gateway/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"
)

const intervalS = 900

// catalogue has the built-in node types and the schemas of their values.
type catalogue struct {
	types   map[string]*gatewayv1.NodeType
	schemas map[string]*gatewayv1.ValueSchema
}

func readCatalogue(ctx context.Context, gateway grpc.ClientConnInterface) (*catalogue, error) {
	reply, err := gatewayv1.NewNodeCatalogueServiceClient(gateway).ListNodeTypes(ctx, &gatewayv1.ListNodeTypesRequest{})
	if err != nil {
		return nil, err
	}
	found := &catalogue{map[string]*gatewayv1.NodeType{}, map[string]*gatewayv1.ValueSchema{}}
	for _, one := range reply.GetNodeTypes() {
		found.types[one.GetNodeType()] = one
	}
	for _, one := range reply.GetSchemas() {
		found.schemas[one.GetCompatId()] = one
	}
	return found, nil
}

// node builds a node of a type: the author's parameters, the catalogue's defaults, one input a port.
func (c *catalogue) node(
	name, nodeType string, period int64, params map[string]any, inputs ...*dagv1.DagNode,
) (*dagv1.DagNode, error) {
	kind := c.types[nodeType]
	if kind == nil || len(inputs) != len(kind.GetInputs()) {
		return nil, fmt.Errorf("%s: the catalogue has no such type with %d inputs", nodeType, len(inputs))
	}
	whole := map[string]any{}
	for _, parameter := range kind.GetParameters() {
		if parameter.GetDefault() != nil {
			whole[parameter.GetName()] = parameter.GetDefault().AsInterface()
		}
	}
	for key, value := range params {
		whole[key] = value
	}
	if kind.GetPeriod() != nil {
		period = int64(kind.GetPeriod().GetConstant())
		for key, factor := range kind.GetPeriod().GetPerParameter() {
			period += int64(factor) * int64(whole[key].(float64))
		}
	}
	node := &dagv1.DagNode{
		Name: name, Kind: kind.GetKind(), QueueClass: queueClass(kind),
		SchemaHash: c.schemas[kind.GetOutputSchema()].GetSchemaHash(),
	}
	c.connect(node, kind, whole, inputs)
	return node, c.identify(node, kind, whole, period)
}

// connect writes inputs twice: as parameters with the fields that are read, and as ids in call order.
func (c *catalogue) connect(node *dagv1.DagNode, kind *gatewayv1.NodeType, whole map[string]any, inputs []*dagv1.DagNode) {
	var read []any
	for at, port := range kind.GetInputs() {
		fields := port.GetFields()
		if len(fields) == 0 {
			fields = []string{c.schemas[inputs[at].GetSpec().GetSchemaCompatId()].GetDefaultField()}
		}
		for _, field := range fields {
			read = append(read, []any{inputs[at].GetNodeId(), field})
		}
		node.InputNames = append(node.InputNames, port.GetName())
		node.InputIds = append(node.InputIds, inputs[at].GetNodeId())
	}
	if len(read) > 0 {
		whole["inputs"] = read
	}
}

func (c *catalogue) identify(node *dagv1.DagNode, kind *gatewayv1.NodeType, whole map[string]any, period int64) error {
	spec := client.NodeSpec{
		NodeType: kind.GetNodeType(), IntervalS: intervalS, Period: period, Params: whole,
		Dependencies: node.InputIds, SchemaCompatID: kind.GetOutputSchema(), CodeHash: kind.GetCodeHash(),
	}
	id, _, err := client.NodeID(spec)
	if err != nil {
		return err
	}
	params, err := structpb.NewStruct(whole)
	node.NodeId = id
	node.Spec = &dagv1.NodeSpec{
		NodeType: spec.NodeType, IntervalS: intervalS, Period: uint32(period), Params: params,
		Dependencies: spec.Dependencies, SchemaCompatId: spec.SchemaCompatID, CodeHash: spec.CodeHash,
	}
	return err
}

func queueClass(kind *gatewayv1.NodeType) dagv1.QueueClass {
	switch {
	case len(kind.GetInputs()) == 0:
		return dagv1.QueueClass_QUEUE_CLASS_RAW
	case kind.GetKind() == dagv1.SemanticKind_SEMANTIC_KIND_CAUSAL_STREAM:
		return dagv1.QueueClass_QUEUE_CLASS_INDICATOR
	}
	return dagv1.QueueClass_QUEUE_CLASS_TRADE
}

// crossing is a strategy: long while a fast average is above a slow one.
func crossing(c *catalogue, fast, slow float64) (*dagv1.Dag, uint32, error) {
	dag := &dagv1.Dag{}
	var failed error
	add := func(name, nodeType string, period int64, params map[string]any, inputs ...*dagv1.DagNode) *dagv1.DagNode {
		node, err := c.node(name, nodeType, period, params, inputs...)
		if err != nil && failed == nil {
			failed = err
		}
		dag.Nodes = append(dag.Nodes, node)
		return node
	}
	bars := add("bars", "StreamInput", int64(slow), map[string]any{"symbol": "BTC-USD"})
	quick := add("fast", "indicator.ema", 0, map[string]any{"period": fast}, bars)
	calm := add("slow", "indicator.ema", 0, map[string]any{"period": slow}, bars)
	cross := add("cross", "decision.cross", 0, nil, quick, calm)
	target := add("target", "decision.position_target", 0, map[string]any{"long": 0.95}, cross)
	add("orders", "order.target", 0, map[string]any{"symbol": "BTC-USD"}, target, bars)
	var ids []string
	for _, node := range dag.Nodes {
		ids = append(ids, node.GetNodeId())
	}
	return dag, client.NodeIDsCRC32(ids), failed
}
