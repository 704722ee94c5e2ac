// Command emulator serves a Secrets Store in memory, so that wrangler, Terraform, an
// SDK or a program of one's own can be tried without an account.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const usage = `Usage: emulator [flags]

Serves a Secrets Store in memory, under /client/v4, until it gets Ctrl-C. It is empty
at first, and what it holds is gone when it stops.

On standard output it prints the environment that makes other programs use it:

    go run ./examples/emulator > emulator.env   # in one terminal
    . ./emulator.env                            # in another
    wrangler secrets-store store create test --remote

On standard error it logs a line for each request, without credentials and values.

`

// How long a client may take; what the server itself does takes no time.
const (
	headerTimeout   = 10 * time.Second
	exchangeTimeout = time.Minute
	idleTimeout     = 2 * time.Minute
	stopTimeout     = 10 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "emulator:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	listener, err := listen(s.addr, s.allowRemote)
	if err != nil {
		return err
	}
	logger := log.New(stderr, "", log.Ltime|log.Lmicroseconds)
	options := append(s.options,
		secretsstoretest.WithoutListener(),
		secretsstoretest.WithRequestHook(func(r secretsstoretest.Request) { logger.Print(line(r)) }),
	)
	emulator := secretsstoretest.NewServer(options...)
	if err := printEnvironment(stdout, emulator, baseURL(listener.Addr())); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:           emulator.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       exchangeTimeout,
		WriteTimeout:      exchangeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          logger,
	}
	return serve(ctx, server, listener, logger)
}

// serve answers requests until ctx ends, and then lets those that have begun finish.
func serve(ctx context.Context, server *http.Server, listener net.Listener, logger *log.Logger) error {
	logger.Printf("listening on %s", listener.Addr())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	logger.Print("stopping")
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := server.Shutdown(limited)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were cut off: %w", err), server.Close())
	}
	<-failed
	return err
}

// listen opens the address, if only this machine can reach it. It is resolved before it
// is looked at, so that what is checked is what is opened.
func listen(address string, allowRemote bool) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("-addr: %w", err)
	}
	if !allowRemote && !resolved.IP.IsLoopback() {
		return nil, fmt.Errorf("-addr: %s can be reached from other machines, and what is sent there is not encrypted; -allow-remote allows it", address)
	}
	listener, err := net.ListenTCP("tcp", resolved)
	if err != nil {
		return nil, fmt.Errorf("-addr: %w", err)
	}
	return listener, nil
}

// baseURL is where programs on this machine reach what listens on the address.
func baseURL(address net.Addr) string {
	host, port, _ := net.SplitHostPort(address.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/client/v4"
}

// printEnvironment writes what a POSIX shell takes. The key of the user is unset
// since some programs prefer it, or send both, and it may be a real one.
func printEnvironment(w io.Writer, emulator *secretsstoretest.Server, url string) error {
	_, err := fmt.Fprintf(w, `# A Secrets Store in memory. For wrangler:
export CLOUDFLARE_API_BASE_URL=%[1]s
# For Terraform, and the SDKs:
export CLOUDFLARE_BASE_URL=%[1]s
# For all of them:
export CLOUDFLARE_ACCOUNT_ID=%[2]s
export CLOUDFLARE_API_TOKEN=%[3]s
unset CLOUDFLARE_EMAIL CLOUDFLARE_API_KEY
# Instead of the token, email and key sign in too:
# unset CLOUDFLARE_API_TOKEN
# export CLOUDFLARE_EMAIL=%[4]s
# export CLOUDFLARE_API_KEY=%[5]s
`, quote(url), quote(emulator.AccountID), quote(emulator.APIToken), quote(emulator.Email), quote(emulator.APIKey))
	return err
}

// quote makes s one word of a POSIX shell.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
