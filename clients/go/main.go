// Command qmtl-client is a whole client of a QMTL mesh, written from proto/ alone. docs/clients.md explains it.
//
//	qmtl-client vectors FOLDER                    check the vectors of proto/testdata
//	qmtl-client walk ADDRESS... TOKEN_FILE        submit, trade on paper and read the book
//	qmtl-client moves COUNT ADDRESS... TOKEN_FILE move an event stream between gateways
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "failed:", describe(err))
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "vectors":
		count, err := checkVectors(args[1])
		fmt.Printf("vectors %d\n", count)
		return err
	case len(args) >= 3 && args[0] == "walk":
		gateways, err := dial(args[1:])
		if err != nil {
			return err
		}
		return walk(ctx, gateways)
	case len(args) >= 4 && args[0] == "moves":
		count, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		gateways, err := dial(args[2:])
		if err != nil {
			return err
		}
		return moves(ctx, gateways, count)
	}
	return fmt.Errorf("usage: qmtl-client vectors FOLDER | walk ADDRESS... TOKEN_FILE | moves COUNT ADDRESS... TOKEN_FILE")
}

// dial opens one connection a gateway; the last argument is the file of the token.
func dial(args []string) ([]grpc.ClientConnInterface, error) {
	text, err := os.ReadFile(args[len(args)-1])
	if err != nil {
		return nil, err
	}
	bearer := "Bearer " + strings.TrimSpace(string(text))
	var gateways []grpc.ClientConnInterface
	for _, address := range args[:len(args)-1] {
		connection, err := grpc.NewClient(
			address,
			grpc.WithTransportCredentials(insecure.NewCredentials()), // profile dev; TLS in prod
			grpc.WithUnaryInterceptor(withTokenUnary(bearer)),
			grpc.WithStreamInterceptor(withTokenStream(bearer)),
		)
		if err != nil {
			return nil, err
		}
		gateways = append(gateways, connection)
	}
	return gateways, nil
}
