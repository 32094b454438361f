// The interoperability server of grpc-go with what its own command leaves out: compression, and connections that age.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/orca"
)

func main() {
	port := flag.Int("port", 0, "port to listen on, on all addresses")
	maxAge := flag.Duration("max_age", 0, "life of a connection before the server sends GOAWAY; 0: no limit")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	options := []grpc.ServerOption{orca.CallMetricsServerOption(nil)}
	if *maxAge > 0 {
		options = append(options, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: *maxAge}))
	}
	server := grpc.NewServer(options...)
	recorder := orca.NewServerMetricsRecorder()
	service := orca.ServiceOptions{MinReportingInterval: time.Second, ServerMetricsProvider: recorder}
	if err := orca.Register(server, service); err != nil {
		log.Fatal(err)
	}
	test := interop.NewTestServer(interop.NewTestServerOptions{MetricsRecorder: recorder})
	testgrpc.RegisterTestServiceServer(server, test)
	fmt.Println("listening")
	log.Fatal(server.Serve(listener))
}
