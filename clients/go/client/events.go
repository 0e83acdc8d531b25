package client

import (
	"context"
	"errors"
	"io"
	"time"

	brokerv1 "github.com/qmtl/qmtl/gen/go/qmtl/broker/v1"
	controlv1 "github.com/qmtl/qmtl/gen/go/qmtl/control/v1"
	gatewayv1 "github.com/qmtl/qmtl/gen/go/qmtl/gateway/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	waitFirst = 50 * time.Millisecond
	waitMax   = 2 * time.Second
)

// Counts tells how a stream went. Gaps and Duplicates stay 0 as long as the gateways keep their promise.
type Counts struct{ Events, Reloads, Breaks, Gaps, Duplicates int }

// EventStream follows the events of a world across breaks, restarts and gateways.
//
// The rule is the one at Topic in event.proto: an event is applied when its revision is the last one of the same (payload,
// key) plus one. One that is not higher is dropped, any other is a gap and is healed by reading the state again.
type EventStream struct {
	Counts Counts
	// OnOrder is called for topic ORDERS, in order: with an open order of the state, or with a step of one.
	OnOrder func(state *brokerv1.OrderStatus, step *brokerv1.OrderEvent)

	gateways []grpc.ClientConnInterface
	request  *gatewayv1.CreateEventStreamRequest
	apply    func(event *controlv1.ControlEvent, isState bool)
	known    map[gatewayv1.Topic]*topicState
	token    string // of the stream; "" until one was made, and after it was refused
	resume   string // the place after the last frame; "" asks for the state
	goesOn   bool   // the last frame was a snapshot that the next one adds to
	moves    chan int
}

// topicState is what a client keeps of a topic: the last revision of each key, and whether its snapshot had them all.
type topicState struct {
	revisions   map[string]uint64
	isTruncated bool
}

// topicOf is the table of payloads in event.proto. What is not in it is of a newer gateway.
var topicOf = map[protoreflect.Name]gatewayv1.Topic{
	"activation_updated":      gatewayv1.Topic_TOPIC_ACTIVATION,
	"world_queues_updated":    gatewayv1.Topic_TOPIC_QUEUES,
	"queue_updated":           gatewayv1.Topic_TOPIC_QUEUES,
	"policy_updated":          gatewayv1.Topic_TOPIC_POLICY,
	"decision_updated":        gatewayv1.Topic_TOPIC_POLICY,
	"strategy_state_changed":  gatewayv1.Topic_TOPIC_STRATEGY,
	"evaluation_run_updated":  gatewayv1.Topic_TOPIC_STRATEGY,
	"sentinel_weight_updated": gatewayv1.Topic_TOPIC_SENTINEL,
}

// NewEventStream makes a stream over gateways of one mesh. apply is called for every state and event, in order.
func NewEventStream(
	gateways []grpc.ClientConnInterface,
	request *gatewayv1.CreateEventStreamRequest,
	apply func(event *controlv1.ControlEvent, isState bool),
) *EventStream {
	return &EventStream{
		OnOrder:  func(*brokerv1.OrderStatus, *brokerv1.OrderEvent) {},
		gateways: gateways, request: request, apply: apply, known: map[gatewayv1.Topic]*topicState{}, moves: make(chan int, 1),
	}
}

// Move breaks the stream and goes on at another gateway, as a client does when it is told to.
func (s *EventStream) Move(gateway int) { s.moves <- gateway }

// Follow runs until the context ends. It returns the first error that no retry can mend.
func (s *EventStream) Follow(ctx context.Context) error {
	at, wait := 0, waitFirst
	for ctx.Err() == nil {
		before := s.Counts.Events
		next, err := s.once(ctx, at)
		s.Counts.Breaks++
		if next >= 0 {
			at = next
			continue
		}
		if err := s.mend(err); err != nil {
			return err
		}
		at = (at + 1) % len(s.gateways)
		if s.Counts.Events > before {
			wait = waitFirst
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
			wait = min(2*wait, waitMax)
		}
	}
	return ctx.Err()
}

// once follows one call to its end. It answers the gateway to move to, or -1 and why the call ended.
func (s *EventStream) once(ctx context.Context, at int) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stub := gatewayv1.NewEventServiceClient(s.gateways[at])
	s.goesOn = false
	if s.token == "" {
		reply, err := stub.CreateEventStream(ctx, s.request)
		if err != nil {
			return -1, err
		}
		s.token = reply.GetStream().GetStreamToken()
	}
	asked := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.token) // in place of the user's token
	stream, err := stub.SubscribeEvents(asked, &gatewayv1.SubscribeEventsRequest{ResumeToken: s.resume})
	if err != nil {
		return -1, err
	}
	frames, ended := make(chan *gatewayv1.Frame), make(chan error, 1)
	go func() {
		for {
			reply, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			select {
			case frames <- reply.GetFrame():
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case next := <-s.moves:
			return next, nil
		case err := <-ended:
			return -1, err
		case frame := <-frames:
			if isOver := s.take(frame); isOver {
				return -1, io.EOF
			}
		}
	}
}

// take applies one frame. True: go on with a new call.
func (s *EventStream) take(frame *gatewayv1.Frame) bool {
	switch body := frame.GetBody().(type) {
	case *gatewayv1.Frame_Snapshot:
		s.load(body.Snapshot)
	case *gatewayv1.Frame_Events:
		for _, event := range body.Events.GetEvents() {
			topic, key := keyOf(event)
			if !s.next(topic, key, event.GetRevision(), func() { s.apply(event, false) }) {
				return true
			}
		}
		for _, step := range body.Events.GetOrderEvents() {
			key, number := orderKey(step), uint64(step.GetOrderEventNumber())
			if !s.next(gatewayv1.Topic_TOPIC_ORDERS, key, number, func() { s.OnOrder(nil, step) }) {
				return true
			}
		}
		s.resume = body.Events.GetResumeToken()
	case *gatewayv1.Frame_Bookmark:
		s.resume = body.Bookmark.GetResumeToken()
	case *gatewayv1.Frame_Notice:
		if token := body.Notice.GetResumeToken(); token != "" {
			s.resume = token
		}
		return body.Notice.GetKind() == gatewayv1.NoticeKind_NOTICE_KIND_GOING_AWAY
	}
	return false
}

// load takes the state of a topic, or what one frame has of it.
func (s *EventStream) load(snapshot *gatewayv1.Snapshot) {
	whole := s.known[snapshot.GetTopic()]
	if !s.goesOn {
		whole = &topicState{map[string]uint64{}, snapshot.GetTruncated()}
		s.known[snapshot.GetTopic()] = whole
	}
	s.goesOn = snapshot.GetMore()
	for _, state := range snapshot.GetStates() {
		_, key := keyOf(state)
		whole.revisions[key] = state.GetRevision()
		s.apply(state, true)
	}
	for _, state := range snapshot.GetOrders() {
		whole.revisions[orderKey(state.GetOrder())] = uint64(state.GetOrderEventNumber())
		s.OnOrder(state, nil)
	}
}

// next applies an event that follows, drops one that was seen, and asks for the state where one is missing.
func (s *EventStream) next(topic gatewayv1.Topic, key string, revision uint64, apply func()) bool {
	if topic == gatewayv1.Topic_TOPIC_UNSPECIFIED {
		return true // of a newer gateway
	}
	state := s.known[topic]
	if state == nil {
		state = &topicState{revisions: map[string]uint64{}, isTruncated: true}
		s.known[topic] = state
	}
	seen, isKnown := state.revisions[key]
	isFirst := !isKnown && state.isTruncated
	switch {
	case revision <= seen && topic == gatewayv1.Topic_TOPIC_ORDERS: // a snapshot of orders may have shown it
	case revision <= seen:
		s.Counts.Duplicates++
	case !isFirst && revision > seen+1:
		s.Counts.Gaps++
		s.Counts.Reloads++
		s.resume = ""
		return false
	default:
		state.revisions[key] = revision
		s.Counts.Events++
		apply()
	}
	return true
}

// mend prepares the next call after an error. It returns an error that another call would meet again.
func (s *EventStream) mend(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Canceled, codes.Aborted:
		return nil
	case codes.Unauthenticated:
		if s.token == "" {
			return err // not the stream's token but the caller's own
		}
		s.token = ""
		return nil
	}
	if reason := ReasonOf(err); reason == "E_RESUME_TOKEN" || reason == "E_RESUME_SCOPE" {
		s.resume = ""
		s.Counts.Reloads++
		return nil
	}
	return err
}

// ReasonOf is the stable code of an error, from its google.rpc.ErrorInfo; "" when it has none.
func ReasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, isInfo := detail.(*errdetails.ErrorInfo); isInfo {
			return info.GetReason()
		}
	}
	return ""
}

// keyOf is the topic of an event and what its revisions are counted by: the payload's type and the event's key.
func keyOf(event *controlv1.ControlEvent) (gatewayv1.Topic, string) {
	message := event.ProtoReflect()
	field := message.WhichOneof(message.Descriptor().Oneofs().ByName("payload"))
	if field == nil {
		return gatewayv1.Topic_TOPIC_UNSPECIFIED, ""
	}
	return topicOf[field.Name()], string(field.Name()) + "/" + event.GetKey()
}

// orderKey is what the numbers of an order's events are counted by.
func orderKey(of interface {
	GetAccount() string
	GetStrategyId() string
	GetClientOrderId() string
}) string {
	return of.GetAccount() + "/" + of.GetStrategyId() + "/" + of.GetClientOrderId()
}
