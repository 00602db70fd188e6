// Go's net/http with one route: `go-now RESPONSE_FILE` answers `GET /now` with that response.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// What Linux calls it (tcp.h); Go's library has no name for it.
const tcpCongestion = 13

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go-now RESPONSE_FILE")
	}
	recorded, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal("cannot read the response to send: ", err)
	}
	head, body, found := strings.Cut(string(recorded), "\r\n\r\n")
	if !found {
		log.Fatal("the response has no empty line")
	}
	headers := make(http.Header)
	for _, line := range strings.Split(head, "\r\n")[1:] {
		name, value, _ := strings.Cut(line, ": ")
		switch strings.ToLower(name) {
		case "date", "content-length": // net/http writes them itself.
		default:
			headers.Add(name, value)
		}
	}
	// As many threads as the others have.
	runtime.GOMAXPROCS(1)

	answer := []byte(body)
	http.HandleFunc("/now", func(response http.ResponseWriter, _ *http.Request) {
		toSend := response.Header()
		for name, values := range headers {
			toSend[name] = values
		}
		response.Write(answer)
	})
	// As the others do: where the kernel has none of that name, the default is as good.
	useReno := func(_, _ string, connection syscall.RawConn) error {
		return connection.Control(func(descriptor uintptr) {
			syscall.SetsockoptString(int(descriptor), syscall.IPPROTO_TCP, tcpCongestion, "reno")
		})
	}
	configuration := net.ListenConfig{Control: useReno}
	listener, err := configuration.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal("cannot listen on the loopback interface: ", err)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
