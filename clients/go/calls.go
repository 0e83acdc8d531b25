package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	callTimeout = 20 * time.Second
	chunkBytes  = 256 * 1024
)

// withTokenUnary sends the caller's token, and asks again where UNAVAILABLE says that it may.
func withTokenUnary(bearer string) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, request, reply any, connection *grpc.ClientConn,
		invoke grpc.UnaryInvoker, options ...grpc.CallOption,
	) error {
		ctx, cancel := context.WithTimeout(withToken(ctx, bearer), callTimeout)
		defer cancel()
		options = append(options, grpc.WaitForReady(true))
		for {
			err := invoke(ctx, method, request, reply, connection, options...)
			if status.Code(err) != codes.Unavailable {
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(retryAfter(err)):
			}
		}
	}
}

func withTokenStream(bearer string) grpc.StreamClientInterceptor {
	return func(
		ctx context.Context, description *grpc.StreamDesc, connection *grpc.ClientConn, method string,
		stream grpc.Streamer, options ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		return stream(withToken(ctx, bearer), description, connection, method, options...)
	}
}

// withToken adds the caller's token unless the call has one of its own, as that of an event stream has.
func withToken(ctx context.Context, bearer string) context.Context {
	if sent, _ := metadata.FromOutgoingContext(ctx); len(sent.Get("authorization")) > 0 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", bearer)
}

// inChunks sends a payload that may be larger than one message, and again where UNAVAILABLE says that it may. Metadata
// says first how much will come and which worlds it names.
func inChunks[Request, Reply any](
	ctx context.Context, payload proto.Message, worlds []string, request func([]byte) *Request,
	open func(context.Context, ...grpc.CallOption) (grpc.ClientStreamingClient[Request, Reply], error),
) (*Reply, error) {
	body, err := proto.Marshal(payload)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	stated := []string{"x-total-bytes", strconv.Itoa(len(body)), "x-world-ids", strings.Join(worlds, ",")}
	ctx = metadata.AppendToOutgoingContext(ctx, stated...)
	for {
		reply, err := sendChunks(ctx, body, request, open)
		if status.Code(err) != codes.Unavailable {
			return reply, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(retryAfter(err)):
		}
	}
}

func sendChunks[Request, Reply any](
	ctx context.Context, body []byte, request func([]byte) *Request,
	open func(context.Context, ...grpc.CallOption) (grpc.ClientStreamingClient[Request, Reply], error),
) (*Reply, error) {
	stream, err := open(ctx, grpc.WaitForReady(true))
	for len(body) > 0 && err == nil {
		size := min(len(body), chunkBytes)
		err = stream.Send(request(body[:size]))
		body = body[size:]
	}
	if err != nil && !errors.Is(err, io.EOF) { // EOF: the call is over, and its status is read below
		return nil, err
	}
	return stream.CloseAndRecv()
}

// whenAdmitted makes a call again as long as the caller's rate limit refuses it, after the pause that each refusal names.
func whenAdmitted(ctx context.Context, call func() error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		err := call()
		if status.Code(err) != codes.ResourceExhausted {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryAfter(err)):
		}
	}
}

// retryAfter is the pause an error asks for in its RetryInfo.
func retryAfter(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, isInfo := detail.(*errdetails.RetryInfo); isInfo {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 200 * time.Millisecond
}

// describe shows an error with its google.rpc details: reason, fields, pause.
func describe(err error) string {
	known, isStatus := status.FromError(err)
	if !isStatus {
		return err.Error()
	}
	parts := []string{fmt.Sprintf("%s: %s", known.Code(), known.Message())}
	for _, detail := range known.Details() {
		switch found := detail.(type) {
		case *errdetails.ErrorInfo:
			parts = append(parts, fmt.Sprintf("reason %s %v", found.GetReason(), found.GetMetadata()))
		case *errdetails.BadRequest:
			for _, violation := range found.GetFieldViolations() {
				parts = append(parts, fmt.Sprintf("field %s: %s", violation.GetField(), violation.GetDescription()))
			}
		case *errdetails.RetryInfo:
			parts = append(parts, fmt.Sprintf("retry after %s", found.GetRetryDelay().AsDuration()))
		}
	}
	return strings.Join(parts, "; ")
}
