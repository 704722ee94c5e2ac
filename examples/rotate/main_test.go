package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// TestMain is also the commands that the tests have run: this binary, where
// ROTATE_CHILD is set.
func TestMain(m *testing.M) {
	if os.Getenv("ROTATE_CHILD") == "" {
		os.Exit(m.Run())
	}
	os.Exit(child(os.Args[1]))
}

// report is what a check has seen, told in a file and not in the output.
type report struct {
	Args, Environment []string
	Stdin             string
}

func child(command string) int {
	switch command {
	case "print-new":
		fmt.Println(newText)
		fmt.Fprintln(os.Stderr, "made", newText)
	case "print-old":
		fmt.Println(oldText)
	case "print-and-fail":
		fmt.Println(newText)
		fmt.Fprintln(os.Stderr, "could not keep", newText)
		return 3
	case "print-nothing":
	case "print-too-much":
		fmt.Print(strings.Repeat("x", 1<<20))
	case "check", "refuse":
		b, _ := io.ReadAll(os.Stdin)
		seen, _ := json.Marshal(report{os.Args, os.Environ(), string(b)})
		if err := os.WriteFile(os.Getenv("ROTATE_REPORT"), seen, 0o600); err != nil {
			return 9
		}
		fmt.Printf("trying %s\n", b)
		fmt.Fprintf(os.Stderr, "Authorization: %s, %q, old %s, token %s, no newline", b, base64.StdEncoding.EncodeToString(b), oldText, os.Getenv("CLOUDFLARE_API_TOKEN"))
		if command == "refuse" {
			return 3
		}
	case "read-nothing":
	case "hang":
		fmt.Println("hanging")
		select {}
	}
	return 0
}

// program is what rotate is run with: a Secrets Store in memory, on loopback.
type program struct {
	srv           *secretsstoretest.Server
	store, secret string
	report        string
	stdout        bytes.Buffer
	stderr        bytes.Buffer
}

// environment sets what the program reads, and nothing else.
func environment(t *testing.T, set map[string]string) {
	for _, name := range []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_BASE_URL"} {
		t.Setenv(name, set[name])
	}
}

func newProgram(t *testing.T) *program {
	p := &program{srv: secretsstoretest.NewServer(), report: filepath.Join(t.TempDir(), "report")}
	t.Cleanup(p.srv.Close)
	p.store = p.srv.AddStore("s").ID
	p.secret = p.srv.AddSecret(p.store, secretsstore.SecretCreate{Name: "KEY", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue(oldText)}).ID
	environment(t, map[string]string{"CLOUDFLARE_API_TOKEN": p.srv.APIToken, "CLOUDFLARE_ACCOUNT_ID": p.srv.AccountID, "CLOUDFLARE_BASE_URL": p.srv.URL})
	t.Setenv("ROTATE_CHILD", "1")
	t.Setenv("GORACE", "atexit_sleep_ms=0") // or each child of a test with the race detector takes a second more
	t.Setenv("ROTATE_REPORT", p.report)
	t.Setenv("OLD_VALUE", oldText)
	return p
}

// command is a command line for one of the commands in child.
func command(name string) string { return os.Args[0] + " " + name }

func (p *program) holds() string {
	value, _ := p.srv.Value(p.store, p.secret)
	return value
}

// run runs the program and says that nothing secret was printed.
func (p *program) run(t *testing.T, ctx context.Context, check string, args ...string) error {
	t.Helper()
	args = append([]string{"-store", p.store, "-secret", p.secret}, args...)
	args = append(append(args, "--"), strings.Fields(check)...)
	err := run(ctx, args, &p.stdout, &p.stderr)
	text := p.stdout.String() + p.stderr.String() + fmt.Sprint(err) + fmt.Sprintf("%+v %#v", err, err)
	for _, secret := range []string{oldText, newText, p.srv.APIToken, base64.StdEncoding.EncodeToString([]byte(newText))} {
		assert.NotContains(t, text, secret)
	}
	return err
}

func TestCommands(t *testing.T) {
	p := newProgram(t)
	require.NoError(t, p.run(t, t.Context(), command("check an-argument"), "-new-command", command("print-new"), "-old-env", "OLD_VALUE"))
	assert.Equal(t, newText, p.holds())
	assert.Contains(t, p.stdout.String(), "  | trying [REDACTED]\n")
	assert.Contains(t, p.stderr.String(), "  | made [REDACTED]\n")
	assert.Contains(t, p.stderr.String(), "  | Authorization: [REDACTED], \"[REDACTED]\", old [REDACTED], token [REDACTED], no newline\n")
	assert.Contains(t, p.stdout.String(), "Rotated: the secret has the new value.\n")

	b, err := os.ReadFile(p.report)
	require.NoError(t, err)
	var seen report
	require.NoError(t, json.Unmarshal(b, &seen))
	assert.Equal(t, newText, seen.Stdin)
	assert.Equal(t, []string{os.Args[0], "check", "an-argument"}, seen.Args)
	for _, variable := range seen.Environment {
		assert.NotContains(t, variable, newText)
		assert.NotContains(t, variable, oldText)
	}
}

func TestCheckCommandFails(t *testing.T) {
	p := newProgram(t)
	err := p.run(t, t.Context(), command("refuse"), "-new-command", command("print-new"), "-old-command", command("print-old"))
	require.ErrorContains(t, err, "checking the new value: ")
	require.ErrorContains(t, err, "exit status 3; rolled back: the secret has the old value")
	assert.Equal(t, oldText, p.holds())
}

func TestCheckCommandThatIsNotThere(t *testing.T) {
	p := newProgram(t)
	err := p.run(t, t.Context(), "./no-such-command", "-new-random", "32", "-old-env", "OLD_VALUE")
	require.ErrorContains(t, err, "rolled back: the secret has the old value")
	assert.Equal(t, oldText, p.holds())
}

func TestCheckCommandThatReadsNothing(t *testing.T) {
	p := newProgram(t)
	name := filepath.Join(t.TempDir(), "value")
	large := strings.Repeat("0123456789abcdef", maxValue/16) // more than a pipe holds
	require.NoError(t, os.WriteFile(name, []byte(large+"\n"), 0o600))
	require.NoError(t, p.run(t, t.Context(), command("read-nothing"), "-new-file", name, "-old-env", "OLD_VALUE"))
	assert.Equal(t, large, p.holds())
}

// trigger calls f when text is written to it.
type trigger struct {
	text string
	f    func()
}

func (w *trigger) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.f()
	}
	return len(p), nil
}

func TestCtrlCEndsTheCheckCommand(t *testing.T) {
	p := newProgram(t)
	ctx, interrupt := context.WithCancelCause(t.Context())
	args := []string{"-store", p.store, "-secret", p.secret, "-new-random", "32", "-old-env", "OLD_VALUE", "--", os.Args[0], "hang"}
	err := run(ctx, args, &trigger{"hanging", func() { interrupt(errors.New("ctrl-c")) }}, io.Discard)
	require.ErrorContains(t, err, "ctrl-c; rolled back: the secret has the old value")
	assert.Equal(t, oldText, p.holds())
}

func TestCommandThatHangs(t *testing.T) {
	t.Setenv("ROTATE_CHILD", "1")
	r := runner{timeout: time.Millisecond, environment: os.Environ()}
	con := &console{stdout: io.Discard, stderr: io.Discard}
	err := r.check([]string{os.Args[0], "hang"})(t.Context(), con, secretsstore.NewSecretValue(newText))
	require.ErrorContains(t, err, "still running after 1ms")
	_, err = r.source("-new-command", command("hang"), textOptions{})(t.Context(), con)
	require.ErrorContains(t, err, "still running after 1ms")
}

func TestSourcesThatFail(t *testing.T) {
	p := newProgram(t)
	large := filepath.Join(t.TempDir(), "large")
	require.NoError(t, os.WriteFile(large, bytes.Repeat([]byte("x"), 1<<20), 0o600))
	binary := filepath.Join(t.TempDir(), "binary")
	require.NoError(t, os.WriteFile(binary, []byte("\xff\xfe\x00\x01"), 0o600))
	word := filepath.Join(t.TempDir(), "word")
	require.NoError(t, os.WriteFile(word, []byte("[REDACTED]\n"), 0o600))
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"command fails":              {[]string{"-new-command", command("print-and-fail")}, "exit status 3"},
		"command prints nothing":     {[]string{"-new-command", command("print-nothing")}, "-new-command: it is empty"},
		"command prints too much":    {[]string{"-new-command", command("print-too-much")}, "-new-command: it has more than 65536 bytes"},
		"command is not there":       {[]string{"-new-command", "./no-such-command"}, "./no-such-command"},
		"command is empty":           {[]string{"-new-command", " "}, "there is no command"},
		"file is not there":          {[]string{"-new-file", "no/such/file"}, "no/such/file"},
		"file is too large":          {[]string{"-new-file", large}, "-new-file: it has more than 65536 bytes"},
		"file is not text":           {[]string{"-new-file", binary}, "-new-file: it is not UTF-8"},
		"file has the word redacted": {[]string{"-new-file", word}, "stands for a value"},
	} {
		t.Run(name, func(t *testing.T) {
			err := p.run(t, t.Context(), command("check"), append(tc.args, "-old-env", "OLD_VALUE")...)
			require.ErrorContains(t, err, tc.says)
			require.ErrorContains(t, err, "; nothing was changed: the secret has the old value")
			assert.Equal(t, oldText, p.holds())
		})
	}
	t.Run("old value is not set", func(t *testing.T) {
		err := p.run(t, t.Context(), command("check"), "-new-random", "32", "-old-env", "NO_SUCH_VARIABLE")
		require.ErrorContains(t, err, "getting the old value: -old-env NO_SUCH_VARIABLE: it is empty; nothing was changed")
	})
	assert.Contains(t, p.stderr.String(), "  | could not keep [REDACTED]\n")
}

func TestFileThatNobodyWrites(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	defer r.Close()
	name := fmt.Sprintf("/dev/fd/%d", r.Fd())
	if _, err := os.Stat(name); err != nil {
		t.Skip("no /dev/fd here")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = fileSource("-new-file", name, textOptions{})(ctx, new(console))
	require.ErrorIs(t, err, context.Canceled)
}

func TestValues(t *testing.T) {
	for text, want := range map[string][2]string{ // without and with -keep-newline
		"value":        {"value", "value"},
		"value\n":      {"value", "value\n"},
		"value\r\n":    {"value", "value\r\n"},
		"value\n\n":    {"value\n", "value\n\n"},
		" two\nlines ": {" two\nlines ", " two\nlines "},
	} {
		for i, keep := range []bool{false, true} {
			got, err := textOptions{keepNewline: keep}.value(text)
			require.NoError(t, err)
			assert.Equal(t, want[i], got.Reveal())
		}
	}
}

func TestRandomValues(t *testing.T) {
	for encoding, want := range map[string]string{"base64url": "^[A-Za-z0-9_-]{43}$", "base64": "^[A-Za-z0-9+/]{43}=$", "hex": "^[0-9a-f]{64}$"} {
		seen := make(map[string]bool)
		for range 20 {
			v, err := randomSource(32, encoding)(t.Context(), new(console))
			require.NoError(t, err)
			assert.Regexp(t, want, v.Reveal())
			assert.False(t, seen[v.Reveal()])
			seen[v.Reveal()] = true
		}
	}
	for _, encoding := range []string{"base64url", "base64", "hex"} {
		require.NoError(t, checkRandom(maxValue/2, encoding))
		_, err := randomSource(maxValue/2, encoding)(t.Context(), new(console))
		require.NoError(t, err)
	}
}

func TestFlags(t *testing.T) {
	p := newProgram(t)
	ids := "-store " + p.store + " -secret " + p.secret
	for name, tc := range map[string]struct{ args, says string }{
		"without ids":               {"", "-store and -secret"},
		"without a new value":       {ids + " -old-env OLD_VALUE -- x", "exactly one of -new-command"},
		"with two new values":       {ids + " -new-random 32 -new-file f -old-env OLD_VALUE -- x", "exactly one of -new-command"},
		"without an old value":      {ids + " -new-random 32 -- x", "exactly one of -old-command"},
		"with two old values":       {ids + " -new-random 32 -old-file f -old-env OLD_VALUE -- x", "exactly one of -old-command"},
		"without a check":           {ids + " -new-random 32 -old-env OLD_VALUE", "a command must check"},
		"with few random bytes":     {ids + " -new-random 15 -old-env OLD_VALUE -- x", "16 to 32768"},
		"with many random bytes":    {ids + " -new-random 32769 -old-env OLD_VALUE -- x", "16 to 32768"},
		"with another encoding":     {ids + " -new-random 32 -new-encoding rot13 -old-env OLD_VALUE -- x", "-new-encoding"},
		"without time":              {ids + " -timeout 0s", "more than 0"},
		"without time to roll back": {ids + " -rollback-timeout -1s", "more than 0"},
		"with an unknown flag":      {"-new-value x", "-new-value"},
		"with a bad id":             {"-store ../x -secret 0 -new-random 32 -old-env OLD_VALUE -- x", "store_id"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.ErrorContains(t, run(t.Context(), strings.Fields(tc.args), &out, &out), tc.says)
			assert.Equal(t, oldText, p.holds())
		})
	}
}

func TestDemo(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		var out, errs bytes.Buffer
		require.NoError(t, run(t.Context(), nil, &out, &errs))
		assert.Empty(t, errs.String())
		assert.Regexp(t, `(?s)A check that passes:.*Rotated: the secret has the new value\.\nThe store holds the value that was made\..*`+
			`A check that fails:.*; rolled back: the secret has the old value\nThe store holds the value that it held before\.\n$`, out.String())
		assert.NotContains(t, out.String(), "the-value-at-first")
	})
}

func TestWithoutCredentialsNothingOnCloudflareIsNamed(t *testing.T) {
	environment(t, nil)
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-store", "x"}, &out, &out), secretsstore.ErrNoCredentials)
}

func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, &out, &errs), flag.ErrHelp)
	for _, says := range []string{"-old-env variable", "CLOUDFLARE_API_TOKEN", "standard input", "[REDACTED]"} {
		assert.Contains(t, errs.String(), says)
	}
}
