package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// environment sets what the program reads, and nothing else.
func environment(t *testing.T, set map[string]string) {
	for _, name := range []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_BASE_URL"} {
		t.Setenv(name, set[name])
	}
}

func environmentOf(srv *secretsstoretest.Server) map[string]string {
	return map[string]string{"CLOUDFLARE_API_TOKEN": srv.APIToken, "CLOUDFLARE_ACCOUNT_ID": srv.AccountID, "CLOUDFLARE_BASE_URL": srv.URL}
}

// buffer is a bytes.Buffer for several goroutines, that tells what is written to it.
type buffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	onWrite func(string)
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.onWrite != nil {
		b.onWrite(string(p))
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// shop is a store with secrets, that the program finds through the environment.
type shop struct {
	*secretsstoretest.Server
	t       *testing.T
	store   string
	ids     []string
	journal string

	con    console
	out    *buffer
	err    *buffer
	caught chan os.Signal
}

func newShop(t *testing.T, n int, opts ...secretsstoretest.ServerOption) *shop {
	srv := secretsstoretest.NewServer(append(opts, secretsstoretest.WithMaxSecrets(0))...)
	t.Cleanup(srv.Close)
	environment(t, environmentOf(srv))
	s := &shop{Server: srv, t: t, store: srv.AddStore("s").ID, journal: filepath.Join(t.TempDir(), "j")}
	for i := range n {
		s.ids = append(s.ids, srv.AddSecret(s.store, secretsstore.SecretCreate{
			Name: fmt.Sprintf("N_%04d", i), Scopes: scopes("workers"), Value: secretsstore.NewSecretValue("the-value"),
		}).ID)
	}
	s.out, s.err, s.caught = &buffer{}, &buffer{}, make(chan os.Signal, 2)
	s.con = console{in: strings.NewReader(""), out: s.out, err: s.err, interrupts: func() (<-chan os.Signal, func()) { return s.caught, func() {} }}
	return s
}

// bulk runs the program on the shop's store.
func (s *shop) bulk(args ...string) error {
	*s.out, *s.err = buffer{}, buffer{onWrite: s.err.onWrite}
	return run(s.t.Context(), args, s.con)
}

// first runs it with a journal.
func (s *shop) first(args ...string) error {
	return s.bulk(append([]string{"-store", s.store, "-yes", "-journal", s.journal}, args...)...)
}

// patches returns how often each secret was patched since the log was emptied.
func (s *shop) patches() map[string]int {
	counts := map[string]int{}
	for _, r := range s.Requests() {
		if r.Operation == secretsstoretest.OpPatchSecret {
			counts[path.Base(r.Path)]++
		}
	}
	return counts
}

// journaled returns the secrets that a journal has as done, and as failed, without
// the code that is under test.
func journaled(t *testing.T, name string) (done, failed map[string]bool) {
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	done, failed = map[string]bool{}, map[string]bool{}
	for line := range bytes.Lines(text) {
		var e struct{ Done, Failed string }
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		if e.Done != "" {
			done[e.Done] = true
		}
		if e.Failed != "" {
			failed[e.Failed] = true
		}
	}
	return done, failed
}

func TestDemo(t *testing.T) {
	environment(t, nil)
	var out, errs bytes.Buffer
	con := console{in: strings.NewReader("y\n"), canAsk: true, out: &out, err: &errs, interrupts: interrupts}
	require.NoError(t, run(t.Context(), []string{"-demo", "40"}, con))
	assert.Regexp(t, `(?m)^To patch: +30$`, out.String())
	assert.Regexp(t, `(?m)^  DEMO_00001 +scopes workers → access,workers, comment "" → "reviewed"$`, out.String())
	assert.Contains(t, out.String(), "and 20 more")
	assert.Regexp(t, `(?m)^Patched: +30 in `, out.String())
	assert.Regexp(t, `(?m)^Unchanged: +10$`, out.String())
	assert.NotContains(t, out.String(), "Journal")
	assert.True(t, strings.HasPrefix(errs.String(), "Patch 30 secrets of store "), errs.String())
	assert.True(t, strings.HasSuffix(errs.String(), "\n30 of 30, 100 %\n"), errs.String())
	assert.Equal(t, 10, strings.Count(errs.String(), "of 30"), "a line for each tenth")
}

func TestDemoWinsOverTheEnvironment(t *testing.T) {
	s := newShop(t, 1)
	require.NoError(t, s.bulk("-demo", "4", "-yes"))
	assert.Contains(t, s.out.String(), "in memory")
	assert.Empty(t, s.Requests())
}

func TestAsks(t *testing.T) {
	for name, tc := range map[string]struct {
		terminal bool
		answer   string
		says     string
	}{
		"y":                       {true, "y\n", ""},
		"yes in capitals":         {true, "YES\r\n", ""},
		"no":                      {true, "n\n", "nothing was changed"},
		"nothing":                 {true, "\n", "nothing was changed"},
		"an end":                  {true, "", "nothing was changed"},
		"nobody without terminal": {false, "y\n", "-yes patches without asking"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, 2)
			s.con.canAsk, s.con.in = tc.terminal, strings.NewReader(tc.answer)
			err := s.bulk("-store", s.store, "-name", "*", "-comment", "c", "-journal", s.journal)
			assert.Regexp(t, `(?m)^To patch: +2$`, s.out.String(), "the plan is shown all the same")
			if tc.says == "" {
				require.NoError(t, err)
				assert.Len(t, s.patches(), 2)
				return
			}
			require.ErrorContains(t, err, tc.says)
			assert.Empty(t, s.patches())
			assert.NoFileExists(t, s.journal)
		})
	}
}

func TestPatchesWhatIsSelected(t *testing.T) {
	s := newShop(t, 30)
	require.NoError(t, s.first("-name", "N_000?", "-add-scope", "access", "-comment", "new"))
	assert.Len(t, s.patches(), 10)
	for i, secret := range s.Secrets(s.store) {
		if i < 10 {
			assert.Equal(t, scopes("access workers"), secret.Scopes)
			assert.Equal(t, "new", secret.Comment)
		} else {
			assert.Equal(t, scopes("workers"), secret.Scopes)
			assert.Empty(t, secret.Comment)
		}
	}
	text, err := os.ReadFile(s.journal)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "the-value")
	assert.NotContains(t, string(text), s.APIToken)

	t.Run("leaves what is as it should be", func(t *testing.T) {
		s.ClearRequests()
		require.NoError(t, s.bulk("-store", s.store, "-yes", "-name", "N_000?", "-add-scope", "access", "-journal", s.journal+"2"))
		assert.Empty(t, s.patches())
		assert.Regexp(t, `(?m)^Unchanged: +10$`, s.out.String())
		assert.NoFileExists(t, s.journal+"2")
	})
	t.Run("has nothing left to go on with", func(t *testing.T) {
		s.ClearRequests()
		require.NoError(t, s.bulk("-resume", s.journal))
		assert.Contains(t, s.out.String(), "of 10 secrets 10 are done, 0 failed")
		assert.Empty(t, s.patches())
	})
	t.Run("does not touch a journal that is there", func(t *testing.T) {
		s.ClearRequests()
		require.ErrorContains(t, s.first("-name", "*", "-comment", "c"), "is there already")
		assert.Empty(t, s.Requests())
	})
}

func TestMakesAJournalByItself(t *testing.T) {
	s := newShop(t, 3)
	t.Chdir(t.TempDir())
	require.NoError(t, s.bulk("-store", s.store, "-yes", "-name", "*", "-comment", "c"))
	names, err := filepath.Glob("bulk-*.journal")
	require.NoError(t, err)
	require.Len(t, names, 1)
	done, _ := journaled(t, names[0])
	assert.Len(t, done, 3)
}

func TestFailuresAreListedAndTriedAgain(t *testing.T) {
	s := newShop(t, 20)
	bad := map[string]bool{s.ids[3]: true, s.ids[7]: true}
	remove := s.Inject(secretsstoretest.Fault{
		Operation: secretsstoretest.OpPatchSecret, Status: 400, Body: secretsstoretest.ErrorBody(1001, "secret_scope_invalid"),
		Match: func(r *http.Request) bool { return bad[path.Base(r.URL.Path)] },
	})
	ids := filepath.Join(t.TempDir(), "ids")
	require.NoError(t, os.WriteFile(ids, []byte(strings.Join(s.ids, "\n")+"\nffff\n"), 0o600))

	require.EqualError(t, s.first("-ids", ids, "-add-scope", "access"), "3 failed")
	out := s.out.String()
	assert.Regexp(t, `(?m)^Impossible: +1$`, out)
	assert.Regexp(t, `(?m)^Patched: +18 in `, out)
	assert.Regexp(t, `(?m)^Failed: +3$`, out)
	assert.Regexp(t, `(?m)^  `+s.ids[3]+` +N_0003 .*secret_scope_invalid`, out)
	assert.Regexp(t, `(?m)^  ffff +- +the store does not list it$`, out)
	assert.Contains(t, out, "To go on: -resume "+s.journal)
	assert.Contains(t, s.err.String(), "failed\n")
	done, failed := journaled(t, s.journal)
	assert.Len(t, done, 18)
	assert.Equal(t, map[string]bool{s.ids[3]: true, s.ids[7]: true, "ffff": true}, failed)

	remove()
	s.ClearRequests()
	require.EqualError(t, s.bulk("-resume", s.journal, "-yes"), "1 failed")
	assert.Contains(t, s.out.String(), "of 21 secrets 18 are done, 3 failed")
	assert.Equal(t, map[string]int{s.ids[3]: 1, s.ids[7]: 1}, s.patches())
	for _, secret := range s.Secrets(s.store) {
		assert.Equal(t, scopes("access workers"), secret.Scopes)
	}
}

func TestGoesOnOnlyWithItsOwnStore(t *testing.T) {
	s := newShop(t, 2)
	require.NoError(t, s.first("-name", "*", "-comment", "c"))
	s.ClearRequests()
	for name, tc := range map[string]struct {
		env  map[string]string
		args []string
		says string
	}{
		"account":     {map[string]string{"CLOUDFLARE_ACCOUNT_ID": "other"}, nil, "is about account " + s.AccountID + ", not other"},
		"store":       {nil, []string{"-store", "other"}, "is about store " + s.store + ", not other"},
		"change":      {nil, []string{"-comment", "d"}, "another change: comment \"c\""},
		"selection":   {nil, []string{"-name", "N*"}, "another selection: name \"*\""},
		"credentials": {map[string]string{"CLOUDFLARE_API_TOKEN": ""}, nil, "is on Cloudflare"},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range tc.env {
				t.Setenv(key, value)
			}
			require.ErrorContains(t, s.bulk(append(tc.args, "-resume", s.journal, "-yes")...), tc.says)
			assert.Empty(t, s.Requests())
		})
	}
}

func TestSecondRunOnAJournalIsRefused(t *testing.T) {
	s := newShop(t, 2)
	require.NoError(t, s.first("-name", "*", "-comment", "c"))
	s.ClearRequests()
	first := reopen(t, s.journal)
	require.ErrorIs(t, s.bulk("-resume", s.journal, "-yes"), errLocked)
	assert.Empty(t, s.Requests())
	require.NoError(t, first.close())
	require.NoError(t, s.bulk("-resume", s.journal, "-yes"))
}

func TestSaysWhatIsMissing(t *testing.T) {
	s := newShop(t, 2)
	for name, tc := range map[string]struct {
		env  map[string]string
		args string
		says string
	}{
		"the store":                    {nil, "-name * -comment c", "-store must name the store"},
		"the secrets":                  {nil, "-store s -comment c", "-name '*' is all"},
		"the change":                   {nil, "-store s -name *", "must say what is to change"},
		"the account":                  {map[string]string{"CLOUDFLARE_ACCOUNT_ID": ""}, "-store s -name * -comment c", "CLOUDFLARE_ACCOUNT_ID must be"},
		"credentials":                  {map[string]string{"CLOUDFLARE_API_TOKEN": ""}, "-store s", "store s is on Cloudflare"},
		"a journal that can be opened": {nil, "-resume none", "journal: open none"},
		"a store that is there":        {nil, "-store abc -name * -comment c", "store_not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range tc.env {
				t.Setenv(key, value)
			}
			require.ErrorContains(t, s.bulk(strings.Fields(tc.args)...), tc.says)
		})
	}
}

func TestRefusedCredentialsEndTheRun(t *testing.T) {
	s := newShop(t, 200)
	remove := s.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Status: 401, Body: secretsstoretest.ErrorBody(10000, "Authentication error")})
	err := s.first("-name", "*", "-comment", "c", "-concurrency", "1")
	require.EqualError(t, err, "2 failed, 198 not reached")
	assert.Len(t, s.patches(), 2)

	remove()
	require.NoError(t, s.bulk("-resume", s.journal, "-yes"))
	assert.Regexp(t, `(?m)^Patched: +200 in `, s.out.String())
}

// The scopes that a plan was made of can be others when its turn comes.
func TestScopesThatChangeMeanwhile(t *testing.T) {
	for name, tc := range map[string]struct {
		meanwhile secretsstore.SecretPatch
		maxAge    string
		args      []string
		want      string
		patches   int
		says      string
	}{
		"are read again":                          {meanwhile: secretsstore.SecretPatch{Scopes: scopes("dex")}, maxAge: "0", want: "access dex", patches: 1, says: "1 otherwise than planned"},
		"are left where they are right":           {meanwhile: secretsstore.SecretPatch{Scopes: scopes("access dex")}, maxAge: "0", want: "access dex", patches: 0},
		"are overwritten where the plan is young": {meanwhile: secretsstore.SecretPatch{Scopes: scopes("dex")}, maxAge: "1h", want: "access workers", patches: 1},
		"don't matter where they are set":         {meanwhile: secretsstore.SecretPatch{Scopes: scopes("dex")}, maxAge: "0", args: []string{"-set-scopes", "access"}, want: "access", patches: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, 1)
			s.con.canAsk = true
			other := s.Client()
			s.con.in = readerFunc(func(p []byte) (int, error) {
				// The plan was made: it is being asked about.
				if _, _, err := other.Secrets.Patch(t.Context(), s.store, s.ids[0], tc.meanwhile); err != nil {
					return 0, err
				}
				s.ClearRequests()
				s.con.in = nil
				return copy(p, "y"), io.EOF
			})
			args := tc.args
			if args == nil {
				args = []string{"-add-scope", "access"}
			}
			require.NoError(t, s.bulk(append(args, "-store", s.store, "-name", "*", "-journal", s.journal, "-max-age", tc.maxAge)...))
			assert.Equal(t, strings.Fields(tc.want), strings.Fields(strings.ReplaceAll(join(s.Secrets(s.store)[0].Scopes), ",", " ")))
			assert.Len(t, s.patches(), tc.patches)
			assert.Contains(t, s.out.String(), tc.says)
			done, _ := journaled(t, s.journal)
			assert.Len(t, done, 1)
		})
	}
	t.Run("fail where they can't be read", func(t *testing.T) {
		s := newShop(t, 3)
		s.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpGetSecret, Status: 404, Body: secretsstoretest.ErrorBody(1001, "secret_not_found"), Count: 1})
		require.EqualError(t, s.first("-name", "*", "-add-scope", "dex", "-max-age", "0"), "1 failed")
		assert.Len(t, s.patches(), 2)
	})
	t.Run("end the run where the credentials are refused", func(t *testing.T) {
		s := newShop(t, 3)
		s.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpGetSecret, Status: 401, Body: secretsstoretest.ErrorBody(10000, "Authentication error")})
		require.EqualError(t, s.first("-name", "*", "-add-scope", "dex", "-max-age", "0"), "1 failed, 2 not reached")
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// What is sent is waited for after the first interrupt, so that all of it is in the
// journal.
func TestInterrupt(t *testing.T) {
	const concurrency = 4
	stopping := make(chan struct{})
	var s *shop
	var once sync.Once
	s = newShop(t, 200, secretsstoretest.WithRequestHook(func(r secretsstoretest.Request) {
		if r.Operation == secretsstoretest.OpPatchSecret && len(s.patches()) >= 50 {
			once.Do(func() { s.caught <- os.Interrupt })
			<-stopping
		}
	}))
	s.err.onWrite = func(text string) {
		if strings.HasPrefix(text, "Stopping") {
			close(stopping)
		}
	}
	err := s.first("-name", "*", "-add-scope", "dex", "-concurrency", fmt.Sprint(concurrency))
	require.ErrorContains(t, err, "not reached")
	assert.Contains(t, s.out.String(), "To go on: -resume "+s.journal)
	patched := s.patches()
	done, failed := journaled(t, s.journal)
	assert.Len(t, done, len(patched))
	assert.LessOrEqual(t, len(patched), 50+2*concurrency)
	assert.Empty(t, failed)

	s.ClearRequests()
	require.NoError(t, s.bulk("-resume", s.journal, "-yes"))
	again := s.patches()
	assert.Len(t, again, 200-len(patched))
	for id := range again {
		assert.False(t, done[id], "%s is patched again", id)
	}
}

func TestSecondInterruptCancels(t *testing.T) {
	s := newShop(t, 20)
	remove := s.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Latency: time.Hour, Match: func(*http.Request) bool {
		select {
		case s.caught <- os.Interrupt:
		default:
		}
		return true
	}})
	require.EqualError(t, s.first("-name", "*", "-comment", "c"), "20 not reached")
	done, failed := journaled(t, s.journal)
	assert.Empty(t, done)
	assert.Empty(t, failed)
	remove()
	for len(s.caught) > 0 {
		<-s.caught
	}
	require.NoError(t, s.bulk("-resume", s.journal, "-yes"))
}

// A run whose journal can't be written ends, since what it patched would be patched
// again.
func TestJournalThatBreaksEndsTheRun(t *testing.T) {
	s := newShop(t, 100)
	client := s.Client()
	seen, err := look(t.Context(), client, s.store)
	require.NoError(t, err)
	about := job{Account: s.AccountID, Store: s.store, Select: selection{Name: "*"}, Change: change{Comment: secretsstore.Ptr("c")}}
	selected, err := about.Select.from(seen)
	require.NoError(t, err)
	p := newPlan(about, seen, selected)
	j, err := createJournal(s.journal, about, p.all())
	require.NoError(t, err)
	require.NoError(t, j.file.Close())
	a := newApplication(p, client, j)
	a.concurrency = 2
	require.ErrorIs(t, a.run(t.Context(), s.con), os.ErrClosed)
	assert.LessOrEqual(t, len(s.patches()), 3, "the one whose result is handled, and two in flight")
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	l := newLines(&out, 1000, func() time.Time { return now })
	for range 99 {
		l.step(false)
	}
	assert.Empty(t, out.String())
	now = now.Add(longestSilence)
	l.step(true) // 100: a tenth
	l.step(false)
	now = now.Add(longestSilence)
	l.step(false)
	l.step(false)
	assert.Equal(t, "100 of 1000, 10 %, 1 failed\n102 of 1000, 10 %, 1 failed\n", out.String())
}

func TestBar(t *testing.T) {
	t.Run("is full at the end", func(t *testing.T) {
		out := &buffer{}
		b := newBar(out, 3)
		b.step(false)
		b.step(true)
		b.say("a line above")
		b.step(false)
		b.end()
		assert.Contains(t, out.String(), "a line above\n")
		assert.Contains(t, out.String(), "3 of 3 [")
		assert.Contains(t, out.String(), "100 %, 1 failed")
	})
	t.Run("ends before it is full", func(t *testing.T) {
		out := &buffer{}
		b := newBar(out, 3)
		b.step(false)
		b.end()
		assert.Contains(t, out.String(), "1 of 3 [")
	})
}
