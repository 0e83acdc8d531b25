package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/qmtl/qmtl/client"
	controlv1 "github.com/qmtl/qmtl/gen/go/qmtl/control/v1"
	gatewayv1 "github.com/qmtl/qmtl/gen/go/qmtl/gateway/v1"
	"google.golang.org/grpc"
)

// moves sends an event stream to a random gateway again and again while the world changes, and counts what it saw.
// In the middle it asks on stdout that a gateway be killed.
func moves(ctx context.Context, gateways []grpc.ClientConnInterface, count int) error {
	world, err := newWorld(ctx, gateways[0])
	if err != nil {
		return err
	}
	seen := make(chan uint32, 10*count)
	request := &gatewayv1.CreateEventStreamRequest{WorldId: world, Topics: []gatewayv1.Topic{gatewayv1.Topic_TOPIC_POLICY}}
	stream := client.NewEventStream(gateways, request, func(event *controlv1.ControlEvent, _ bool) {
		if policy := event.GetPolicyUpdated(); policy != nil { // the topic has decisions too
			seen <- policy.GetPolicyVersion()
		}
	})
	follow, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- stream.Follow(follow) }()
	last := <-seen
	for move := 1; move <= count; move++ {
		if move == count/2 {
			fmt.Println("kill")
			var killed string
			if _, err := fmt.Scanln(&killed); err != nil {
				return err
			}
		}
		if err := putPolicy(ctx, gateways[0], world, 0.5+float64(move)/10000); err != nil {
			return err
		}
		stream.Move(rand.IntN(len(gateways)))
		if rand.IntN(2) == 0 { // half of the moves come before the event, half after it
			if last, err = await(ctx, seen, ended, last); err != nil {
				return err
			}
		}
	}
	for last < uint32(count)+1 {
		if last, err = await(ctx, seen, ended, last); err != nil {
			return err
		}
	}
	cancel()
	<-ended
	fmt.Printf("moves %d %+v\n", count, stream.Counts)
	if stream.Counts.Gaps+stream.Counts.Duplicates > 0 {
		return fmt.Errorf("want no gap and no duplicate")
	}
	return nil
}

// await is the next policy version, which must be the one after the last.
func await(ctx context.Context, seen <-chan uint32, ended <-chan error, last uint32) (uint32, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	select {
	case <-ctx.Done():
		return last, fmt.Errorf("no event after version %d: %w", last, ctx.Err())
	case err := <-ended:
		return last, err
	case found := <-seen:
		if found != last+1 {
			return found, fmt.Errorf("version %d was seen after %d", found, last)
		}
		return found, nil
	}
}
