package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"golang.org/x/term"
)

// An environment is what commands use of the process they run in.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	isTerminal     func(stream any) bool
	signals        <-chan os.Signal
	transport      http.RoundTripper // nil: the client's own
}

// isTerminal reports whether stream is a file that is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readFile reads a file; - is standard input. It returns at the first interrupt, since
// reading a pipe can block.
func (a *app) readFile(name string) (b []byte, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if name == "-" {
			b, err = io.ReadAll(a.stdin)
		} else {
			b, err = os.ReadFile(name)
		}
	}()
	select {
	case <-done:
		return b, err
	case <-a.first.Done():
		return nil, context.Cause(a.first)
	}
}

var (
	errInterrupted = errors.New("interrupted")
	errTimeout     = errors.New("--timeout has passed")
)

// interrupts are contexts that end at the first and at the second signal.
type interrupts struct{ first, second context.Context }

// watch returns the interrupts of the environment. They end when stop is called.
func (env *environment) watch() (in interrupts, stop func()) {
	first, cancelFirst := context.WithCancelCause(context.Background())
	second, cancelSecond := context.WithCancelCause(context.Background())
	go func() {
		select {
		case <-env.signals:
		case <-second.Done():
			return
		}
		fmt.Fprintln(env.stderr, "\ninterrupted: finishing the requests in flight; interrupt again to end at once")
		cancelFirst(errInterrupted)
		select {
		case <-env.signals:
			cancelSecond(errInterrupted)
		case <-second.Done():
		}
	}()
	return interrupts{first, second}, func() { cancelFirst(nil); cancelSecond(nil) }
}
