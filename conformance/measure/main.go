// Command measure runs the benchmarks once and writes the figures as JSON. It is
// a program of its own because the report builds it in two ways: with today's
// encoding/json and with the next one.
//
//	go run ./measure [-rounds n]
//	go run ./measure -serve
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/canned"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/measure"
)

func main() {
	serving := flag.Bool("serve", false, "serve canned answers on loopback until standard input ends")
	rounds := flag.Int("rounds", 201, "how many batches each client runs")
	flag.Parse()
	do := run
	if *serving {
		do = serve
	}
	if err := do(*rounds); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

// run measures, with the server in a process of its own.
func run(rounds int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	server := exec.Command(self, "-serve")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer func() {
		_ = stdin.Close()
		_ = server.Wait()
	}()
	var address string
	if _, err := fmt.Fscanln(stdout, &address); err != nil {
		return fmt.Errorf("the server did not say where it is: %w", err)
	}
	figures, err := measure.Run("http://"+strings.TrimSpace(address)+"/client/v4", rounds)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(figures)
}

func serve(int) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	server := &http.Server{Handler: canned.New(0)}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
