package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/qmtl/qmtl/client"
	brokerv1 "github.com/qmtl/qmtl/gen/go/qmtl/broker/v1"
	commonv1 "github.com/qmtl/qmtl/gen/go/qmtl/common/v1"
	controlv1 "github.com/qmtl/qmtl/gen/go/qmtl/control/v1"
	datav1 "github.com/qmtl/qmtl/gen/go/qmtl/data/v1"
	gatewayv1 "github.com/qmtl/qmtl/gen/go/qmtl/gateway/v1"
	worldv1 "github.com/qmtl/qmtl/gen/go/qmtl/world/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	preset   = "demo.btc.15m"
	document = "data_currency: {max_lag: 1d}\nselection: {gates: {and: [\"sharpe >= %.4f\"]}, score: \"sharpe\"}\nevidence: claims\n"
)

// walk goes all the way: a world, a strategy, its activation, an order, its fill, the book, and three kinds of errors.
func walk(ctx context.Context, gateways []grpc.ClientConnInterface) error {
	gateway := gateways[0]
	world, err := newWorld(ctx, gateway)
	if err != nil {
		return err
	}
	strategy, err := submit(ctx, gateway, world)
	if err != nil {
		return err
	}
	if err := followRestart(ctx, gateways, world); err != nil {
		return err
	}
	session, err := activate(ctx, gateway, world, strategy)
	if err != nil {
		return err
	}
	if err := trade(ctx, gateways, world, strategy, session); err != nil {
		return err
	}
	return meetErrors(ctx, gateway, world)
}

func newWorld(ctx context.Context, gateway grpc.ClientConnInterface) (string, error) {
	world := fmt.Sprintf("go-%x", randomBytes(6))
	request := &worldv1.CreateWorldRequest{WorldId: world, DataPresets: []string{preset}}
	err := whenAdmitted(ctx, func() error {
		_, err := worldv1.NewWorldServiceClient(gateway).CreateWorld(ctx, request)
		return err
	})
	if err != nil {
		return "", err
	}
	fmt.Println("world", world)
	return world, putPolicy(ctx, gateway, world, 0.5)
}

func putPolicy(ctx context.Context, gateway grpc.ClientConnInterface, world string, sharpe float64) error {
	request := &worldv1.PutPolicyRequest{WorldId: world, Document: fmt.Sprintf(document, sharpe), MakeDefault: true}
	return whenAdmitted(ctx, func() error {
		_, err := worldv1.NewPolicyServiceClient(gateway).PutPolicy(ctx, request)
		return err
	})
}

// submit sends a DAG built from the catalogue and watches it until it is bound everywhere.
func submit(ctx context.Context, gateway grpc.ClientConnInterface, world string) (string, error) {
	known, err := readCatalogue(ctx, gateway)
	if err != nil {
		return "", err
	}
	dag, crc, err := crossing(known, 48, 192)
	if err != nil {
		return "", err
	}
	stub := gatewayv1.NewStrategyServiceClient(gateway)
	submission := &gatewayv1.StrategySubmission{
		RequestId: fmt.Sprintf("%x", randomBytes(16)), Meta: &gatewayv1.StrategyMeta{Name: "crossing", Client: "go/0.1.0"},
		Dag: dag, NodeIdsCrc32: crc, WorldIds: []string{world},
	}
	reply, err := inChunks(ctx, submission, submission.WorldIds, func(chunk []byte) *gatewayv1.SubmitStrategyRequest {
		return &gatewayv1.SubmitStrategyRequest{Chunk: chunk}
	}, stub.SubmitStrategy)
	if err != nil {
		return "", err
	}
	strategy := reply.GetStrategy()
	stream, err := stub.WatchStrategy(ctx, &gatewayv1.WatchStrategyRequest{StrategyId: strategy.GetStrategyId()})
	for err == nil && strategy.GetState() != controlv1.StrategyState_STRATEGY_STATE_COMPLETED {
		var now *gatewayv1.WatchStrategyResponse
		if now, err = stream.Recv(); err == nil {
			strategy = now.GetStrategy()
		}
	}
	if strategy.GetState() == controlv1.StrategyState_STRATEGY_STATE_FAILED {
		return "", fmt.Errorf("the strategy failed: %s: %s", strategy.GetReason(), strategy.GetMessage())
	}
	fmt.Println("strategy", strategy.GetStrategyId(), strategy.GetState(), len(dag.GetNodes()), "nodes")
	return strategy.GetStrategyId(), err
}

// followRestart asks for a restart of the gateway on stdout and sees the change made after it once, and no other twice.
func followRestart(ctx context.Context, gateways []grpc.ClientConnInterface, world string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := make(chan uint32, 100)
	topics := []gatewayv1.Topic{gatewayv1.Topic_TOPIC_POLICY, gatewayv1.Topic_TOPIC_ACTIVATION}
	request := &gatewayv1.CreateEventStreamRequest{WorldId: world, Topics: topics}
	stream := client.NewEventStream(gateways, request, func(event *controlv1.ControlEvent, _ bool) {
		if policy := event.GetPolicyUpdated(); policy != nil {
			seen <- policy.GetPolicyVersion()
		}
	})
	ended := make(chan error, 1)
	go func() { ended <- stream.Follow(ctx) }()
	for version := uint32(1); version <= 3; version++ {
		if version > 1 {
			if err := putPolicy(ctx, gateways[0], world, 0.5+float64(version)/10000); err != nil {
				return err
			}
		}
		select {
		case err := <-ended:
			return err
		case found := <-seen:
			if found != version {
				return fmt.Errorf("policy version %d was seen, want %d", found, version)
			}
		}
		if version == 2 {
			fmt.Println("restart") // whoever runs this kills the gateway now and says when it is back
			var back string
			if _, err := fmt.Scanln(&back); err != nil {
				return err
			}
		}
	}
	cancel()
	<-ended
	fmt.Printf("events %+v\n", stream.Counts)
	if stream.Counts.Gaps+stream.Counts.Duplicates > 0 || stream.Counts.Breaks == 0 {
		return fmt.Errorf("want no gap, no duplicate and a break")
	}
	return nil
}

// activate shows numbers the policy selects by, lets the strategy trade on paper, and answers the world's session.
func activate(ctx context.Context, gateway grpc.ClientConnInterface, world, strategy string) (*worldv1.Session, error) {
	end := time.Date(2021, 12, 25, 13, 30, 0, 0, time.UTC)
	_, err := worldv1.NewEvaluationServiceClient(gateway).Evaluate(ctx, &worldv1.EvaluateRequest{
		WorldId: world, StrategyId: strategy, RunId: "go-1", Stage: worldv1.Stage_STAGE_BACKTEST,
		Metrics:            []*worldv1.Metric{{Name: "sharpe", Value: 1.0}},
		DatasetFingerprint: "blake3:sample", CoverageRatio: 1.0,
		DataStart: timestamppb.New(end.AddDate(0, 0, -60)), DataEnd: timestamppb.New(end),
	})
	if err != nil {
		return nil, err
	}
	change := &worldv1.ActivationChange{
		StrategyId: strategy, Side: commonv1.Side_SIDE_LONG, Active: proto.Bool(true), Stage: worldv1.Stage_STAGE_PAPER,
	}
	reply, err := worldv1.NewActivationServiceClient(gateway).SetActivation(ctx, &worldv1.SetActivationRequest{
		WorldId: world, Changes: []*worldv1.ActivationChange{change}, Message: "the sample trades",
	})
	if err != nil {
		return nil, err
	}
	fmt.Println("activation", reply.GetActivation().GetEffectiveMode())
	for _, session := range reply.GetActivation().GetSessions() {
		if session.GetExecutionDomain() == commonv1.ExecutionDomain_EXECUTION_DOMAIN_DRYRUN {
			return session, nil
		}
	}
	return nil, fmt.Errorf("the activation has no session of DRYRUN")
}

// trade opens a paper account fed by the world's data session, buys once, and reads the fill and the book.
func trade(
	ctx context.Context, gateways []grpc.ClientConnInterface, world, strategy string, session *worldv1.Session,
) error {
	gateway := gateways[0]
	_, err := datav1.NewDataSessionServiceClient(gateway).OpenDataSession(ctx, &datav1.OpenDataSessionRequest{
		SessionId: session.GetSessionId(), Preset: preset, StartTime: session.GetStart(), WorldId: world, BarsPerSecond: 20,
	})
	if err != nil {
		return err
	}
	_, err = brokerv1.NewAccountServiceClient(gateway).OpenPaperAccount(ctx, &brokerv1.OpenPaperAccountRequest{
		Account: world, WorldId: world, DataPreset: preset, DataSessionId: session.GetSessionId(),
	})
	if err != nil {
		return err
	}
	order := &brokerv1.Order{
		Account: world, WorldId: world, StrategyId: strategy, ClientOrderId: "go-1", Symbol: "BTC-USD", Quantity: "0.01",
		Side: brokerv1.OrderSide_ORDER_SIDE_BUY, Type: brokerv1.OrderType_ORDER_TYPE_MARKET,
		TimeInForce: brokerv1.TimeInForce_TIME_IN_FORCE_GTC,
	}
	if err := placeAndFollow(ctx, gateways, order); err != nil {
		return err
	}
	fills, err := brokerv1.NewOrderServiceClient(gateway).ListFills(ctx, &brokerv1.ListFillsRequest{Account: world})
	if err != nil || len(fills.GetFills()) == 0 {
		return fmt.Errorf("no fill: %w", err)
	}
	fill := fills.GetFills()[0]
	fmt.Println("fill", fill.GetQuantity(), fill.GetSymbol(), "at", fill.GetPrice(), "fee", fill.GetFee(), fill.GetFeeCurrency())
	book, err := brokerv1.NewPortfolioServiceClient(gateway).GetPortfolio(ctx, &brokerv1.GetPortfolioRequest{Account: world})
	if err != nil {
		return err
	}
	fmt.Println("equity", book.GetPortfolio().GetEquity(), book.GetPortfolio().GetBaseCurrency())
	return nil
}

// place sends an order; until the venue has a first bar and the gate the activation, a denial says so.
func place(ctx context.Context, gateway grpc.ClientConnInterface, order *brokerv1.Order) (*brokerv1.OrderStatus, error) {
	for attempt := 1; ; attempt++ {
		order.ClientOrderId = fmt.Sprintf("go-%d", attempt)
		reply, err := gatewayv1.NewTradingServiceClient(gateway).SubmitOrder(ctx, &gatewayv1.SubmitOrderRequest{Order: order})
		if err != nil {
			return nil, err
		}
		found := reply.GetStatus()
		if found.GetState() != brokerv1.OrderState_ORDER_STATE_DENIED {
			fmt.Println("order", found.GetState())
			return found, nil
		}
		switch found.GetDenial() {
		case brokerv1.Denial_DENIAL_PRICE_STALE, brokerv1.Denial_DENIAL_GATE_ACTIVATION_UNKNOWN,
			brokerv1.Denial_DENIAL_GATE_ACTIVATION_STALE, brokerv1.Denial_DENIAL_GATE_INACTIVE,
			brokerv1.Denial_DENIAL_GATE_SESSION_LAPSED, brokerv1.Denial_DENIAL_INSTRUMENT_UNKNOWN:
			if err := pause(ctx, 200*time.Millisecond); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("denied: %s: %s", found.GetDenial(), found.GetMessage())
		}
	}
}

// placeAndFollow sends an order and follows topic ORDERS of its world until it is filled.
func placeAndFollow(ctx context.Context, gateways []grpc.ClientConnInterface, order *brokerv1.Order) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := &gatewayv1.CreateEventStreamRequest{
		WorldId: order.GetWorldId(), Topics: []gatewayv1.Topic{gatewayv1.Topic_TOPIC_ORDERS},
	}
	steps := make(chan *brokerv1.OrderEvent, 1000)
	stream := client.NewEventStream(gateways, request, func(*controlv1.ControlEvent, bool) {})
	stream.OnOrder = func(_ *brokerv1.OrderStatus, step *brokerv1.OrderEvent) {
		if step != nil {
			steps <- step
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- stream.Follow(ctx) }()
	if _, err := place(ctx, gateways[0], order); err != nil {
		return err
	}
	for isFilled := false; !isFilled; {
		select {
		case err := <-ended:
			return err
		case step := <-steps:
			isOurs := step.GetClientOrderId() == order.GetClientOrderId()
			isFilled = isOurs && step.GetState() == brokerv1.OrderState_ORDER_STATE_FILLED
		}
	}
	cancel()
	<-ended
	fmt.Printf("orders %+v\n", stream.Counts)
	if stream.Counts.Gaps > 0 {
		return fmt.Errorf("want no gap in an order")
	}
	return nil
}

// meetErrors provokes the three kinds of details: a reason, fields, and a pause.
func meetErrors(ctx context.Context, gateway grpc.ClientConnInterface, world string) error {
	_, err := worldv1.NewWorldServiceClient(gateway).GetWorld(ctx, &worldv1.GetWorldRequest{WorldId: "no-such-world"})
	if client.ReasonOf(err) != "E_WORLD_UNKNOWN" {
		return fmt.Errorf("an unknown world: %s", describe(err))
	}
	fmt.Println("error", describe(err))
	known, err := readCatalogue(ctx, gateway)
	if err != nil {
		return err
	}
	dag, crc, err := crossing(known, 48, 192)
	if err != nil {
		return err
	}
	dag.Nodes[1].Name = ""
	asked := &gatewayv1.StrategySubmission{Dag: dag, NodeIdsCrc32: crc, WorldIds: []string{world}}
	_, err = inChunks(ctx, asked, asked.WorldIds, func(chunk []byte) *gatewayv1.SubmitStrategyRequest {
		return &gatewayv1.SubmitStrategyRequest{Chunk: chunk}
	}, gatewayv1.NewStrategyServiceClient(gateway).SubmitStrategy)
	if err == nil {
		return fmt.Errorf("a node without a name was accepted")
	}
	fmt.Println("error", describe(err))
	return meetRateLimit(ctx, gateway, world)
}

func meetRateLimit(ctx context.Context, gateway grpc.ClientConnInterface, world string) error {
	stub := worldv1.NewWorldServiceClient(gateway)
	limited := make(chan error, 1)
	var calls sync.WaitGroup
	for range 600 {
		calls.Go(func() {
			_, err := stub.GetWorld(ctx, &worldv1.GetWorldRequest{WorldId: world})
			if status.Code(err) == codes.ResourceExhausted {
				select {
				case limited <- err:
				default:
				}
			}
		})
	}
	calls.Wait()
	select {
	case err := <-limited:
		fmt.Println("error", describe(err))
		return nil
	default:
		return fmt.Errorf("600 calls at once met no limit")
	}
}

func pause(ctx context.Context, span time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(span):
		return nil
	}
}

func randomBytes(count int) []byte {
	bytes := make([]byte, count)
	rand.Read(bytes)
	return bytes
}
