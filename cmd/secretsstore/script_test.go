package main

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"secretsstore": main})
}

// TestScripts runs the stories in testdata/script. Their commands are below.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // or each run takes a second longer with -race
			env.Values[worldKey{}] = new(world)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": serverCommand, "inject": injectCommand, "run": runCommand, "store": storeCommand, "requests": requestsCommand,
		},
	})
}

type worldKey struct{}

// A world is the emulator of a script, and the process that uses it.
type world struct {
	srv *secretsstoretest.Server

	// The process gets the signals when the nth request of op arrives.
	mu      sync.Mutex
	process *os.Process
	op      secretsstoretest.Operation
	n       int
	signals []string
}

// watch observes the requests of an operation. It must be called before faults are injected,
// since only the first fault that selects a request takes effect.
func (w *world) watch(op secretsstoretest.Operation) {
	w.srv.Inject(secretsstoretest.Fault{Operation: op, Match: func(*http.Request) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		if op != w.op {
			return false
		}
		if w.n--; w.n == 0 {
			process, signals := w.process, w.signals
			go func() {
				for _, name := range signals {
					_ = process.Signal(map[string]os.Signal{"INT": os.Interrupt, "KILL": os.Kill}[name])
					time.Sleep(300 * time.Millisecond) // or two of them can be delivered as one
				}
			}()
		}
		return false
	}})
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

var operations = map[string]secretsstoretest.Operation{
	"patch": secretsstoretest.OpPatchSecret, "create": secretsstoretest.OpCreateSecrets,
	"list": secretsstoretest.OpListSecrets, "delete": secretsstoretest.OpDeleteSecret,
}

// server starts an emulator and points the environment at it:
//
//	server [-secrets N] [-stores NAME,NAME] [-pending DURATION] [-rate N/DURATION]
func serverCommand(ts *testscript.TestScript, _ bool, args []string) {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	secrets := flags.Int("secrets", 0, "")
	stores := flags.String("stores", "production", "")
	pending := flags.Duration("pending", 0, "")
	rate := flags.String("rate", "1000000/1h", "")
	ts.Check(flags.Parse(args))
	n, window, err := parseRate(*rate)
	ts.Check(err)
	w := worldOf(ts)
	w.srv = secretsstoretest.NewServer(secretsstoretest.WithMaxSecrets(0), secretsstoretest.WithPendingFor(*pending), secretsstoretest.WithRateLimit(n, window))
	ts.Defer(w.srv.Close)
	for _, op := range operations {
		w.watch(op)
	}
	for _, name := range strings.Fields(strings.ReplaceAll(*stores, ",", " ")) {
		store := w.srv.AddStore(name)
		for i := range *secrets {
			w.srv.AddSecret(store.ID, secretsstore.SecretCreate{
				Name: fmt.Sprintf("S%02d", i), Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("old-value"),
			})
		}
		ts.Setenv("STORE", store.ID)
	}
	ts.Setenv("CLOUDFLARE_API_TOKEN", w.srv.APIToken)
	ts.Setenv("CLOUDFLARE_ACCOUNT_ID", w.srv.AccountID)
	ts.Setenv("CLOUDFLARE_BASE_URL", w.srv.URL)
}

// inject makes requests fail, as the fields of secretsstoretest.Fault say:
//
//	inject OPERATION [-skip N] [-count N] [-status N] [-lose] [-latency DURATION]
func injectCommand(ts *testscript.TestScript, _ bool, args []string) {
	flags := flag.NewFlagSet("inject", flag.ContinueOnError)
	f := secretsstoretest.Fault{Operation: operations[args[0]]}
	flags.IntVar(&f.Skip, "skip", 0, "")
	flags.IntVar(&f.Count, "count", 0, "")
	flags.IntVar(&f.Status, "status", 0, "")
	flags.DurationVar(&f.Latency, "latency", 0, "")
	lose := flags.Bool("lose", false, "lose the response")
	ts.Check(flags.Parse(args[1:]))
	if f.Status != 0 {
		f.Body = secretsstoretest.ErrorBody(10000, "Authentication error")
	}
	if *lose {
		f.Drop = secretsstoretest.DropAfterRequest
	}
	worldOf(ts).srv.Inject(f)
}

// run runs secretsstore and checks its exit status, "killed" if a signal ended it:
//
//	run [-in FILE] [-at OPERATION:N:SIGNAL,SIGNAL] STATUS ARG...
//
// -at sends signals when the nth request of an operation arrives.
func runCommand(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	at := []string{"", "0", ""}
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	in := flags.String("in", os.DevNull, "")
	flags.Func("at", "", func(s string) error { at = strings.Split(s, ":"); return nil })
	ts.Check(flags.Parse(args))
	status, err := strconv.Atoi(strings.Replace(flags.Arg(0), "killed", "-1", 1))
	ts.Check(err)
	n, err := strconv.Atoi(at[1])
	ts.Check(err)
	stdin, err := os.Open(ts.MkAbs(*in))
	ts.Check(err)
	defer func() { _ = stdin.Close() }()
	cmd := exec.Command("secretsstore", flags.Args()[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir = stdin, ts.Stdout(), ts.Stderr(), ts.MkAbs(".")
	for _, name := range strings.Fields("PATH HOME TMPDIR WORK GORACE CLOUDFLARE_API_TOKEN CLOUDFLARE_EMAIL CLOUDFLARE_API_KEY CLOUDFLARE_ACCOUNT_ID CLOUDFLARE_BASE_URL A B SYSTEMROOT") {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	w.mu.Lock()
	err = cmd.Start()
	w.process, w.op, w.n, w.signals = cmd.Process, operations[at[0]], n, strings.Split(at[2], ",")
	w.mu.Unlock()
	ts.Check(err)
	if err := cmd.Wait(); err != nil && cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		ts.Fatalf("exit status %d, want %d: %v", cmd.ProcessState.ExitCode(), status, err)
	}
}

// store prints name, scopes, comment and value of all secrets.
func storeCommand(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	for _, store := range w.srv.Stores() {
		for _, s := range w.srv.Secrets(store.ID) {
			value, _ := w.srv.Value(store.ID, s.ID)
			fmt.Fprintf(ts.Stdout(), "%s/%s %s %q %s\n", store.Name, s.Name, joinScopes(s.Scopes), s.Comment, value)
		}
	}
}

// requests prints method and body of the requests other than GET since its last use.
func requestsCommand(ts *testscript.TestScript, _ bool, _ []string) {
	w, out := worldOf(ts), ts.Stdout()
	for _, r := range w.srv.Requests() {
		if r.Method != http.MethodGet {
			fmt.Fprintf(out, "%s %d %s\n", r.Method, r.Status, r.Body)
		}
	}
	w.srv.ClearRequests()
}

func TestHelpFitsAScreen(t *testing.T) {
	for _, command := range strings.Fields("--help list bulk sync rotate emulator doctor completion version") {
		var out bytes.Buffer
		status := run([]string{command, "--help"}, environment{stdout: &out, stderr: &out, isTerminal: isTerminal, getenv: os.Getenv})
		assert.Equal(t, exitDone, status)
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		assert.LessOrEqual(t, len(lines), 24, out.String())
		for _, line := range lines {
			assert.LessOrEqual(t, len([]rune(line)), 80, line)
		}
	}
}
