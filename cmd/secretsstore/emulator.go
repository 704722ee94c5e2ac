package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// An emulation is what the emulator command is to do.
type emulation struct {
	addr, token, rate string
	maxSecrets        int
	allowRemote       bool
}

func newEmulatorCommand(a *app) *cobra.Command {
	var e emulation
	cmd := &cobra.Command{
		Use:   "emulator",
		Short: "Serve an in-memory Secrets Store",
		Long: `Serves an in-memory Secrets Store until it is interrupted, and prints the
export lines that point wrangler, Terraform and SDKs at it. With --demo it has
a store with secrets. With --verbose it logs requests.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.emulate(&e) },
	}
	flags := cmd.Flags()
	flags.StringVar(&e.addr, "addr", "127.0.0.1:8787", "`host:port` to listen on")
	flags.StringVar(&e.token, "api-token", "", "accepted `token`, not a real one (default: random)")
	flags.IntVar(&e.maxSecrets, "max-secrets", 100, "`number` of secrets allowed; 0: any")
	flags.StringVar(&e.rate, "rate", "", "rate `limit` per token, e.g. 1200/5m (default: none)")
	flags.BoolVar(&e.allowRemote, "allow-remote", false, "allow an address that other machines can reach")
	return cmd
}

func (a *app) emulate(e *emulation) error {
	wanted, err := net.ResolveTCPAddr("tcp", e.addr)
	if err != nil {
		return usageError("--addr: %w", err)
	}
	if !e.allowRemote && !wanted.IP.IsLoopback() {
		return usageError("--addr: other machines could reach %s, unencrypted: use --allow-remote to permit that", e.addr)
	}
	srv, err := a.newEmulator(e)
	if err != nil {
		return err
	}
	if a.demo {
		seedDemo(srv)
	}
	listener, err := net.Listen("tcp", e.addr)
	if err != nil {
		return err
	}
	addr := listener.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() { // clients allow http for loopback addresses only
		addr.IP = net.IPv4(127, 0, 0, 1)
	}
	printExports(a, srv, "http://"+addr.String()+"/client/v4")
	fmt.Fprintln(a.stderr, "Serving until it is interrupted with Ctrl-C.")
	server := &http.Server{Handler: srv.Handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	ctx, cancel := a.withTimeout(a.first)
	defer cancel()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		err := server.Shutdown(a.second)
		return cmp.Or(context.Cause(a.second), err)
	}
}

// newEmulator returns a server, which panics on invalid options.
func (a *app) newEmulator(e *emulation) (srv *secretsstoretest.Server, err error) {
	opts := []secretsstoretest.ServerOption{secretsstoretest.WithoutListener(), secretsstoretest.WithMaxSecrets(e.maxSecrets)}
	if a.accountID != "" {
		opts = append(opts, secretsstoretest.WithAccountID(a.accountID))
	}
	if e.token != "" {
		opts = append(opts, secretsstoretest.WithAPIToken(e.token))
	}
	if e.rate != "" {
		n, window, err := parseRate(e.rate)
		if err != nil {
			return nil, err
		}
		opts = append(opts, secretsstoretest.WithRateLimit(n, window))
	}
	if a.verbose {
		opts = append(opts, secretsstoretest.WithRequestHook(func(r secretsstoretest.Request) {
			fmt.Fprintf(a.stderr, "%s %s %s %d %s\n", r.Time.Format(time.TimeOnly), r.Method, r.Path, r.Status, r.Body)
		}))
	}
	defer func() {
		if problem := recover(); problem != nil {
			err = usageError("%s", strings.TrimPrefix(fmt.Sprint(problem), "secretsstoretest: NewServer: "))
		}
	}()
	return secretsstoretest.NewServer(opts...), nil
}

// parseRate parses a limit such as 1200/5m.
func parseRate(s string) (n int, window time.Duration, err error) {
	number, duration, _ := strings.Cut(s, "/")
	n, err = strconv.Atoi(number)
	window, durationErr := time.ParseDuration(duration)
	if err != nil || durationErr != nil || n < 1 || window <= 0 {
		return 0, 0, usageError("--rate must be a positive number of requests and a duration, such as 1200/5m")
	}
	return n, window, nil
}

// printExports prints what a POSIX shell evaluates. The values have no characters that the
// shell interprets. Email and key are unset since they may be real.
func printExports(a *app, srv *secretsstoretest.Server, url string) {
	fmt.Fprintf(a.stdout, `export CLOUDFLARE_BASE_URL='%[1]s'
export CLOUDFLARE_API_BASE_URL='%[1]s'
export CLOUDFLARE_ACCOUNT_ID='%[2]s'
export CLOUDFLARE_API_TOKEN='%[3]s'
unset CLOUDFLARE_EMAIL CLOUDFLARE_API_KEY
`, url, srv.AccountID, srv.APIToken)
}
