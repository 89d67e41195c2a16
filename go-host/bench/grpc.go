package main

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// grpcPeer is grpc-go with @grpc/grpc-js on a unix socket. Messages are JSON, or bytes, as they are: no Protocol Buffers,
// which would have to be decoded once more on both sides, or described for each function.
type grpcPeer struct {
	*node
	conn *grpc.ClientConn
}

func startGRPC(library library) func(context.Context, int) (contender, error) {
	return func(ctx context.Context, _ int) (contender, error) {
		n, socket, err := startServer(ctx, "grpc.cjs")
		if err != nil {
			return nil, err
		}
		const most = 64 << 20
		dial := func(ctx context.Context, _ string) (net.Conn, error) { return dialUnix(ctx, socket) }
		conn, err := grpc.NewClient("passthrough:node", grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(grpcCodec{library}), grpc.MaxCallRecvMsgSize(most), grpc.MaxCallSendMsgSize(most)),
			grpc.WithInitialWindowSize(4<<20), grpc.WithInitialConnWindowSize(16<<20))
		if err != nil {
			return nil, errors.Join(err, n.Close())
		}
		return &grpcPeer{n, conn}, nil
	}
}

func (p *grpcPeer) Call(ctx context.Context, _ int, method string, in, out any) error {
	service := "/json." + method
	if isBytes(in) {
		service = "/bytes." + method
	}
	return p.conn.Invoke(ctx, service+"/call", in, out)
}

func (p *grpcPeer) Close() error {
	_ = p.conn.Close()
	return p.node.Close()
}

type grpcCodec struct{ library }

func (c grpcCodec) Marshal(in any) ([]byte, error) { return c.encode(in) }

func (c grpcCodec) Unmarshal(text []byte, out any) error { return c.decode(text, out) }

func (c grpcCodec) Name() string { return "json" }
