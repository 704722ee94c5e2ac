package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// buffer can be read while the program writes to it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// running is the program, listening.
type running struct {
	environment map[string]string // what it prints, also what is a comment
	printed     string
	log         *buffer
	stop        context.CancelFunc
	ended       chan error
}

var variable = regexp.MustCompile(`export (\w+)='([^']*)'$`)

// start runs the program until it has printed the environment, and sees to it that it
// ends cleanly, within the test.
func start(t *testing.T, args ...string) *running {
	ctx, stop := context.WithCancel(t.Context())
	printed, stdout := io.Pipe()
	p := &running{environment: map[string]string{}, log: &buffer{}, stop: stop, ended: make(chan error, 1)}
	go func() {
		err := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), stdout, p.log)
		stdout.CloseWithError(err)
		p.ended <- err
	}()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-p.ended)
	})
	lines := bufio.NewScanner(printed)
	for p.environment["CLOUDFLARE_API_KEY"] == "" {
		require.True(t, lines.Scan(), "the program ended: %v", lines.Err())
		p.printed += lines.Text() + "\n"
		if m := variable.FindStringSubmatch(lines.Text()); m != nil {
			p.environment[m[1]] = m[2]
		}
	}
	return p
}

// use sets the variables, and no other that the client reads.
func (p *running) use(t *testing.T, names ...string) *secretsstore.Client {
	for _, name := range []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_BASE_URL"} {
		t.Setenv(name, "")
	}
	for _, name := range append(names, "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_BASE_URL") {
		t.Setenv(name, p.environment[name])
	}
	client, err := secretsstore.NewClient(secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1}))
	require.NoError(t, err)
	return client
}

func TestTheEnvironmentItPrintsReachesIt(t *testing.T) {
	p := start(t, "-account-id", "my-account", "-api-token", "my-token", "-email", "me@example.com", "-api-key", "my-key")
	assert.Equal(t, p.environment["CLOUDFLARE_BASE_URL"], p.environment["CLOUDFLARE_API_BASE_URL"])
	assert.Equal(t, "my-account", p.environment["CLOUDFLARE_ACCOUNT_ID"])
	assert.Equal(t, "my-token", p.environment["CLOUDFLARE_API_TOKEN"])
	assert.Equal(t, "me@example.com", p.environment["CLOUDFLARE_EMAIL"])
	assert.Equal(t, "my-key", p.environment["CLOUDFLARE_API_KEY"])

	for name, credentials := range map[string][]string{
		"token":         {"CLOUDFLARE_API_TOKEN"},
		"email and key": {"CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			store, _, err := p.use(t, credentials...).Stores.Ensure(t.Context(), secretsstore.StoreCreate{Name: "production"})
			require.NoError(t, err)
			assert.Equal(t, "production", store.Name)
		})
	}
}

func TestWhatIsNotGivenIsMadeUp(t *testing.T) {
	one, two := start(t), start(t)
	for _, name := range []string{"CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY"} {
		assert.NotEmpty(t, one.environment[name], name)
		assert.NotEqual(t, one.environment[name], two.environment[name], name)
	}
	_, _, err := one.use(t, "CLOUDFLARE_API_TOKEN").Stores.List(t.Context(), nil)
	require.NoError(t, err)

	for flag, other := range map[string]string{"-email=me@example.com": "CLOUDFLARE_API_KEY", "-api-key=my-key": "CLOUDFLARE_EMAIL"} {
		p := start(t, flag)
		assert.Contains(t, p.printed, strings.SplitN(flag, "=", 2)[1])
		assert.NotEmpty(t, p.environment[other])
		_, _, err := p.use(t, "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY").Stores.List(t.Context(), nil)
		require.NoError(t, err)
	}
}

func TestFlagsSetTheLimits(t *testing.T) {
	ctx := t.Context()
	p := start(t, "-max-stores", "2", "-max-secrets", "1", "-rate", "5/1h")
	// A client that has not heard of the limit does not slow down.
	fresh := func() *secretsstore.Client { return p.use(t, "CLOUDFLARE_API_TOKEN") }
	store, _, err := fresh().Stores.Create(ctx, secretsstore.StoreCreate{Name: "a"})
	require.NoError(t, err)
	_, _, err = fresh().Stores.Create(ctx, secretsstore.StoreCreate{Name: "b"})
	require.NoError(t, err)
	_, _, err = fresh().Stores.Create(ctx, secretsstore.StoreCreate{Name: "c"})
	require.ErrorIs(t, err, secretsstore.ErrQuotaExceeded)
	secret := func(name string) secretsstore.SecretCreate {
		return secretsstore.SecretCreate{Name: name, Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")}
	}
	_, _, err = fresh().Secrets.Create(ctx, store.ID, secret("A"))
	require.NoError(t, err)
	_, resp, err := fresh().Secrets.Create(ctx, store.ID, secret("B"))
	require.ErrorIs(t, err, secretsstore.ErrQuotaExceeded)
	assert.Equal(t, 5, resp.RateLimit.Quota)
	assert.Equal(t, 0, resp.RateLimit.Remaining)
	_, _, err = fresh().Stores.List(ctx, nil)
	require.ErrorIs(t, err, secretsstore.ErrRateLimited)
	assert.Contains(t, p.log.String(), "/secrets_store/stores 429 ")
}

func TestTheLogHasALineForEachRequest(t *testing.T) {
	ctx := t.Context()
	p := start(t, "-account-id", "acct", "-api-token", "the-token", "-email", "me@example.com", "-api-key", "the-key")
	client := p.use(t, "CLOUDFLARE_API_TOKEN")
	store, _, err := client.Stores.Create(ctx, secretsstore.StoreCreate{Name: "production"})
	require.NoError(t, err)
	_, _, err = client.Secrets.Create(ctx, store.ID, secretsstore.SecretCreate{Name: "N", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("the-value")})
	require.NoError(t, err)
	_, _, err = client.Secrets.List(ctx, store.ID, &secretsstore.SecretListOptions{PerPage: 50, Search: "a\nb"})
	require.NoError(t, err)
	_, _, err = p.use(t, "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY").Secrets.Get(ctx, store.ID, "0")
	require.ErrorIs(t, err, secretsstore.ErrSecretNotFound)
	resp, err := http.Get(p.environment["CLOUDFLARE_BASE_URL"] + "/accounts/acct/secrets_store/stores?api_token=the-token")
	require.NoError(t, err)
	resp.Body.Close()

	got := p.log.String()
	stores := "/client/v4/accounts/acct/secrets_store/stores"
	secrets := stores + "/" + store.ID + "/secrets"
	for _, want := range []string{
		" listening on 127.0.0.1:",
		" POST " + stores + " 200 0000000000000001-TST",
		" POST " + secrets + " 200 0000000000000002-TST",
		" GET " + secrets + "?per_page=50&search=a%0Ab 200 0000000000000003-TST",
		" GET " + secrets + "/0 404 0000000000000004-TST",
		" GET " + stores + " 400 0000000000000005-TST",
	} {
		assert.Contains(t, got, want)
	}
	assert.Equal(t, 6, strings.Count(got, "\n"), "%s", got)
	for _, secret := range []string{"the-token", "the-key", "me@example.com", "the-value"} {
		assert.NotContains(t, got, secret)
	}
}

func TestStopping(t *testing.T) {
	p := start(t)
	base, err := url.Parse(p.environment["CLOUDFLARE_BASE_URL"])
	require.NoError(t, err)
	const body = `{"name":"production"}`
	conn, err := net.Dial("tcp", base.Host)
	require.NoError(t, err)
	defer conn.Close()
	answers := bufio.NewReader(conn)
	post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base.String()+"/accounts/"+p.environment["CLOUDFLARE_ACCOUNT_ID"]+"/secrets_store/stores", nil)
	require.NoError(t, err)

	// A request of which the server has the head, and asks for the body.
	_, err = io.WriteString(conn, "POST "+post.URL.Path+" HTTP/1.1\r\nHost: "+base.Host+
		"\r\nAuthorization: Bearer "+p.environment["CLOUDFLARE_API_TOKEN"]+
		"\r\nContent-Type: application/json\r\nContent-Length: 21\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)
	line, err := answers.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue")
	_, err = answers.ReadString('\n')
	require.NoError(t, err)

	p.stop()
	for { // until it takes no connection any more
		c, err := net.Dial("tcp", base.Host)
		if err != nil {
			break
		}
		c.Close()
	}
	assert.Contains(t, p.log.String(), " stopping\n")
	_, err = io.WriteString(conn, body)
	require.NoError(t, err)
	resp, err := http.ReadResponse(answers, post)
	require.NoError(t, err, "a request that has begun is answered")
	defer resp.Body.Close()
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.True(t, resp.Close)
	// That it then ends, without an error, is checked by start.
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"all interfaces":                     {[]string{"-addr", ":0"}, "-allow-remote"},
		"all interfaces, IPv4":               {[]string{"-addr", "0.0.0.0:0"}, "-allow-remote"},
		"all interfaces, IPv6":               {[]string{"-addr", "[::]:0"}, "-allow-remote"},
		"another interface":                  {[]string{"-addr", "192.0.2.1:0"}, "-allow-remote"},
		"no port":                            {[]string{"-addr", "127.0.0.1"}, "missing port"},
		"no such port":                       {[]string{"-addr", "127.0.0.1:70000"}, "-addr"},
		"a port that is taken":               {[]string{"-addr", taken.Addr().String()}, "-addr: listen tcp"},
		"an account id with a slash":         {[]string{"-account-id", "a/b"}, `-account-id: "a/b"`},
		"an account id that is empty":        {[]string{"-account-id", ""}, "-account-id"},
		"an account id that is long":         {[]string{"-account-id", strings.Repeat("a", 33)}, "-account-id"},
		"a token that is empty":              {[]string{"-api-token", ""}, "-api-token"},
		"a token with a line end":            {[]string{"-api-token", "the-token\n"}, "-api-token"},
		"an email that is none":              {[]string{"-email", "me"}, "-email"},
		"an email with a line end":           {[]string{"-email", "me@example.com\nrm"}, "-email"},
		"a key with a space":                 {[]string{"-api-key", "the-token x"}, "-api-key"},
		"a number of stores below 0":         {[]string{"-max-stores", "-1"}, "-max-stores"},
		"a number of secrets that is none":   {[]string{"-max-secrets", "many"}, "-max-secrets"},
		"a rate without a window":            {[]string{"-rate", "1200"}, "-rate"},
		"a rate of nothing":                  {[]string{"-rate", "0/5m"}, "-rate"},
		"a rate with a window without units": {[]string{"-rate", "1200/5"}, "such as 1200/5m"},
		"a rate that is empty":               {[]string{"-rate", ""}, "-rate"},
		"a rate with a window of nothing":    {[]string{"-rate", "1200/0s"}, "-rate"},
		"an argument":                        {[]string{"8787"}, "unexpected argument"},
		"a flag that is none":                {[]string{"-port", "1"}, "-port"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // so that one that is let through ends too
			var out, errs bytes.Buffer
			require.ErrorContains(t, run(ctx, tc.args, &out, &errs), tc.says)
			assert.Empty(t, out.String())
			assert.NotContains(t, errs.String(), "the-token")
		})
	}
}

func TestAllowRemote(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	require.NoError(t, run(ctx, []string{"-addr", "0.0.0.0:0", "-allow-remote"}, &out, &errs))
	assert.Contains(t, out.String(), "export CLOUDFLARE_BASE_URL='http://localhost:", "programs on this machine reach it over loopback")
}

func TestBaseURL(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8787":   "http://127.0.0.1:8787/client/v4",
		"127.0.0.2:8787":   "http://127.0.0.2:8787/client/v4",
		"[::1]:8787":       "http://[::1]:8787/client/v4",
		"[::]:8787":        "http://localhost:8787/client/v4",
		"0.0.0.0:8787":     "http://localhost:8787/client/v4",
		"192.168.0.7:8787": "http://192.168.0.7:8787/client/v4",
	} {
		resolved, err := net.ResolveTCPAddr("tcp", address)
		require.NoError(t, err)
		assert.Equal(t, want, baseURL(resolved))
	}
}

func TestTheShellReadsWhatIsPrinted(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	const email = "o'brien$(exit)`x`\\;&@example.com"
	s, err := parse([]string{"-email", email, "-api-key", "k", "-api-token", "t~/="}, io.Discard)
	require.NoError(t, err)
	var printed bytes.Buffer
	emulator := secretsstoretest.NewServer(append(s.options, secretsstoretest.WithoutListener())...)
	require.NoError(t, printEnvironment(&printed, emulator, "http://[::1]:1/client/v4"))
	for script, want := range map[string]string{
		printed.String(): "http://[::1]:1/client/v4|http://[::1]:1/client/v4|" + emulator.AccountID + "|t~/=||",
		strings.ReplaceAll(printed.String(), "# unset CLOUDFLARE_API_TOKEN\n# export CLOUDFLARE_EMAIL", "unset CLOUDFLARE_API_TOKEN\nexport CLOUDFLARE_EMAIL"): "http://[::1]:1/client/v4|http://[::1]:1/client/v4|" + emulator.AccountID + "||" + email + "|",
	} {
		cmd := exec.CommandContext(t.Context(), shell, "-c", script+
			`printf '%s|%s|%s|%s|%s|%s' "$CLOUDFLARE_BASE_URL" "$CLOUDFLARE_API_BASE_URL" "$CLOUDFLARE_ACCOUNT_ID" "$CLOUDFLARE_API_TOKEN" "$CLOUDFLARE_EMAIL" "$CLOUDFLARE_API_KEY"`)
		cmd.Env = []string{"CLOUDFLARE_EMAIL=real@example.com", "CLOUDFLARE_API_KEY=real"}
		got, err := cmd.Output()
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
}

func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, &out, &errs), flag.ErrHelp)
	assert.Empty(t, out.String())
	assert.Contains(t, errs.String(), "-rate limit")
	assert.Contains(t, errs.String(), "wrangler")
}
