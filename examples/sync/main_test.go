package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// asProgram has the test binary be the program itself, so that it can be killed.
const asProgram = "SYNC_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// threeSecrets is a file with the values of values below.
const threeSecrets = `{"store": "production", "secrets": [
	{"name": "A", "comment": "the first", "scopes": ["workers", "access"], "value_env": "VALUE_A"},
	{"name": "B", "scopes": ["workers"], "value_env": "VALUE_B"},
	{"name": "C", "comment": "the third", "scopes": ["dex"], "value_env": "VALUE_C"}
]}`

func values() map[string]string {
	return map[string]string{"VALUE_A": "plain-a", "VALUE_B": "plain-b", "VALUE_C": "plain-c"}
}

// fixture is a Secrets Store, a file, and the environment of the program.
type fixture struct {
	srv  *secretsstoretest.Server
	file string
}

func newFixture(t *testing.T, file string, opts ...secretsstoretest.ServerOption) fixture {
	srv := secretsstoretest.NewServer(opts...)
	t.Cleanup(srv.Close)
	f := fixture{srv: srv, file: filepath.Join(t.TempDir(), "secrets.json")}
	f.write(t, file)
	for _, name := range []string{"CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY"} {
		t.Setenv(name, "")
	}
	for name, value := range f.environment() {
		t.Setenv(name, value)
	}
	return f
}

func (f fixture) environment() map[string]string {
	env := values()
	maps.Copy(env, map[string]string{
		"CLOUDFLARE_API_TOKEN": f.srv.APIToken, "CLOUDFLARE_ACCOUNT_ID": f.srv.AccountID, "CLOUDFLARE_BASE_URL": f.srv.URL,
	})
	return env
}

func (f fixture) write(t *testing.T, file string) {
	require.NoError(t, os.WriteFile(f.file, []byte(file), 0o644))
}

func (f fixture) state() string { return f.file + ".state" }

// run runs the program, and sees to it that it prints no value.
func (f fixture) run(t *testing.T, ctx context.Context, args ...string) (string, error) {
	var out, errs bytes.Buffer
	err := run(ctx, append([]string{"-file", f.file}, args...), &out, &errs)
	printed := out.String() + errs.String() + fmt.Sprint(err)
	assert.NotContains(t, printed, "plain-")
	if b, err := os.ReadFile(f.state()); err == nil {
		assert.NotContains(t, string(b), "plain-")
	}
	return out.String(), err
}

func (f fixture) mustRun(t *testing.T, args ...string) string {
	out, err := f.run(t, t.Context(), args...)
	require.NoError(t, err)
	return out
}

// storedSecret is what a secret is, with its value.
type storedSecret struct{ comment, scopes, value string }

func (f fixture) stored() map[string]storedSecret {
	found := map[string]storedSecret{}
	for _, store := range f.srv.Stores() {
		for _, s := range f.srv.Secrets(store.ID) {
			value, _ := f.srv.Value(store.ID, s.ID)
			found[store.Name+"/"+s.Name] = storedSecret{s.Comment, join(s.Scopes), value}
		}
	}
	return found
}

// asTheFileSays is the store after a run with the values of values.
func asTheFileSays() map[string]storedSecret {
	return map[string]storedSecret{
		"production/A": {"the first", "access,workers", "plain-a"},
		"production/B": {"", "workers", "plain-b"},
		"production/C": {"the third", "dex", "plain-c"},
	}
}

func (f fixture) writes() int {
	n := 0
	for _, r := range f.srv.Requests() {
		if r.Method != "GET" {
			n++
		}
	}
	return n
}

// seed makes what a store holds that differs from threeSecrets in every way.
func (f fixture) seed() {
	store := f.srv.AddStore("production")
	for _, s := range []secretsstore.SecretCreate{
		{Name: "B", Comment: "old comment", Scopes: []secretsstore.Scope{"dex"}, Value: secretsstore.NewSecretValue("old")},
		{Name: "C", Comment: "the third", Scopes: []secretsstore.Scope{"dex"}, Value: secretsstore.NewSecretValue("old")},
		{Name: "ONLY_HERE", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("stays")},
	} {
		f.srv.AddSecret(store.ID, s)
	}
}

func TestPlanApplyPlan(t *testing.T) {
	f := newFixture(t, threeSecrets)
	f.seed()
	before := f.stored()

	out := f.mustRun(t)
	assert.Regexp(t, `(?m)^Store "production" \([0-9a-f]{32}\):$`, out)
	assert.Regexp(t, `(?m)^  \+ create +A +scopes access,workers, value from VALUE_A$`, out)
	assert.Regexp(t, `(?m)^  ~ patch +B +comment "old comment" → ""; scopes dex → workers; value, which is not known to be the same$`, out)
	assert.Regexp(t, `(?m)^  ~ patch +C +value, which is not known to be the same$`, out)
	assert.Regexp(t, `(?m)^  \? only in the store +ONLY_HERE$`, out)
	assert.Contains(t, out, "1 to create, 2 to patch, 0 unchanged, 1 only in the store.\nNothing was changed; -apply does it.\n")
	assert.Equal(t, before, f.stored())
	assert.Zero(t, f.writes())
	assert.NoFileExists(t, f.state())

	out = f.mustRun(t, "-apply")
	assert.Contains(t, out, "1 to create, 2 to patch, 0 unchanged, 1 only in the store.\ncreated A\npatched B\npatched C\nDone: 1 created, 2 patched.\n")
	want := asTheFileSays()
	want["production/ONLY_HERE"] = storedSecret{"", "workers", "stays"}
	assert.Equal(t, want, f.stored())

	wrote := f.writes()
	for _, args := range [][]string{nil, {"-apply"}} {
		out = f.mustRun(t, args...)
		assert.Contains(t, out, "0 to create, 0 to patch, 3 unchanged, 1 only in the store.\nNothing to do.\n")
		assert.Equal(t, wrote, f.writes())
	}
}

func TestTheStoreIsMade(t *testing.T) {
	f := newFixture(t, threeSecrets)
	out := f.mustRun(t)
	assert.Contains(t, out, `Store "production": there is none, it is to be made.`)
	assert.Empty(t, f.srv.Stores())
	f.mustRun(t, "-apply")
	assert.Equal(t, asTheFileSays(), f.stored())
	assert.Contains(t, f.mustRun(t), "Nothing to do.")
}

func TestAnEmptyFileMakesTheStore(t *testing.T) {
	f := newFixture(t, `{"store": "production", "secrets": []}`)
	assert.Contains(t, f.mustRun(t), "Nothing was changed")
	f.mustRun(t, "-apply")
	assert.Len(t, f.srv.Stores(), 1)
	assert.Contains(t, f.mustRun(t), "Nothing to do.")
}

func TestAChangeIsNoticed(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(t *testing.T, f fixture)
		args    string
		plan    string // the lines that say what is to be done
		after   func(want map[string]storedSecret)
		nothing bool
	}{
		"a comment in the file": {
			change: func(t *testing.T, f fixture) { f.write(t, strings.Replace(threeSecrets, "the first", "the new", 1)) },
			plan:   `  ~ patch +A +comment "the first" → "the new"`,
			after: func(want map[string]storedSecret) {
				want["production/A"] = storedSecret{"the new", "access,workers", "plain-a"}
			},
		},
		"a comment that is taken from the file": {
			change: func(t *testing.T, f fixture) {
				f.write(t, strings.Replace(threeSecrets, `"comment": "the third", `, "", 1))
			},
			plan:  `  ~ patch +C +comment "the third" → ""`,
			after: func(want map[string]storedSecret) { want["production/C"] = storedSecret{"", "dex", "plain-c"} },
		},
		"scopes in the file": {
			change: func(t *testing.T, f fixture) {
				f.write(t, strings.Replace(threeSecrets, `["dex"]`, `["workers","dex"]`, 1))
			},
			plan: `  ~ patch +C +scopes dex → dex,workers`,
			after: func(want map[string]storedSecret) {
				want["production/C"] = storedSecret{"the third", "dex,workers", "plain-c"}
			},
		},
		"the order of the scopes means nothing": {
			change: func(t *testing.T, f fixture) {
				f.write(t, strings.Replace(threeSecrets, `["workers", "access"]`, `["access", "workers", "access"]`, 1))
			},
			nothing: true,
		},
		"a value in the environment": {
			change: func(t *testing.T, f fixture) { t.Setenv("VALUE_B", "plain-new") },
			plan:   `  ~ patch +B +value, which has changed`,
			after:  func(want map[string]storedSecret) { want["production/B"] = storedSecret{"", "workers", "plain-new"} },
		},
		"the variable of a value, with the same value": {
			change: func(t *testing.T, f fixture) {
				t.Setenv("OTHER", "plain-b")
				f.write(t, strings.Replace(threeSecrets, "VALUE_B", "OTHER", 1))
			},
			nothing: true,
		},
		"a secret that somebody made anew": {
			change: func(t *testing.T, f fixture) {
				store := f.srv.Stores()[0].ID
				client := f.srv.Client()
				b, err := client.Secrets.FindByName(t.Context(), store, "B")
				require.NoError(t, err)
				_, err = client.Secrets.Delete(t.Context(), store, b.ID)
				require.NoError(t, err)
				f.srv.AddSecret(store, secretsstore.SecretCreate{Name: "B", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("theirs")})
			},
			plan: `  ~ patch +B +value, which is not known to be the same`,
		},
		"a secret that somebody deleted": {
			change: func(t *testing.T, f fixture) {
				store := f.srv.Stores()[0].ID
				client := f.srv.Client()
				b, err := client.Secrets.FindByName(t.Context(), store, "B")
				require.NoError(t, err)
				_, err = client.Secrets.Delete(t.Context(), store, b.ID)
				require.NoError(t, err)
			},
			plan: `  \+ create +B +scopes workers, value from VALUE_B`,
		},
		"a value in the store, only with -values": {
			change: func(t *testing.T, f fixture) {
				store := f.srv.Stores()[0].ID
				_, _, err := f.srv.Client().Secrets.Upsert(t.Context(), store, secretsstore.SecretUpsert{Name: "B", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("theirs")})
				require.NoError(t, err)
				assert.Contains(t, f.mustRun(t), "Nothing to do.")
			},
			args: "-values",
			plan: "  ~ patch +A +value, as -values says\n  ~ patch +B +value, as -values says\n  ~ patch +C +value, as -values says",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, threeSecrets)
			f.mustRun(t, "-apply")
			tc.change(t, f)
			args := strings.Fields(tc.args)
			out := f.mustRun(t, args...)
			if tc.nothing {
				assert.Contains(t, out, "Nothing to do.")
				return
			}
			assert.Regexp(t, `(?m)^Store .*\n`+tc.plan+`\n(  =.*\n)*\d+ to create`, out)
			f.mustRun(t, append(args, "-apply")...)
			want := asTheFileSays()
			if tc.after != nil {
				tc.after(want)
			}
			assert.Equal(t, want, f.stored())
			assert.Contains(t, f.mustRun(t), "Nothing to do.")
		})
	}
}

func TestOnlyWhatDiffersIsSent(t *testing.T) {
	f := newFixture(t, threeSecrets)
	f.mustRun(t, "-apply")
	f.srv.ClearRequests()
	f.write(t, strings.Replace(threeSecrets, "the first", "the new", 1))
	f.mustRun(t, "-apply")
	var sent []string
	for _, r := range f.srv.Requests() {
		if r.Method != "GET" {
			sent = append(sent, r.Method+" "+r.Body)
		}
	}
	assert.Equal(t, []string{`PATCH {"comment":"the new"}`}, sent)
}

func TestWithoutState(t *testing.T) {
	f := newFixture(t, threeSecrets)
	f.mustRun(t, "-apply", "-state", "")
	assert.Equal(t, asTheFileSays(), f.stored())
	assert.NoFileExists(t, f.state())
	t.Setenv("VALUE_B", "plain-new")
	out := f.mustRun(t, "-state", "")
	assert.Contains(t, out, "values of secrets that are there already are not compared")
	assert.Contains(t, out, "Nothing to do.")
	assert.Contains(t, f.mustRun(t, "-state", "", "-values", "-apply"), "Done: 0 created, 3 patched.")
	assert.Equal(t, "plain-new", f.stored()["production/B"].value)
	assert.NoFileExists(t, f.state())
}

func TestTheStateFile(t *testing.T) {
	f := newFixture(t, threeSecrets)
	t.Setenv("VALUE_C", "plain-b")
	f.mustRun(t, "-apply")
	info, err := os.Stat(f.state())
	require.NoError(t, err)
	if os.PathSeparator == '/' {
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	}
	var s state
	b, err := os.ReadFile(f.state())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &s))
	assert.Len(t, s.Key, 32)
	assert.Len(t, s.Digests, 3)
	distinct := map[string]bool{}
	for _, digest := range s.Digests {
		distinct[string(digest)] = true
	}
	assert.Len(t, distinct, 3, "B and C have one value, which does not show")

	left, err := os.ReadDir(filepath.Dir(f.file))
	require.NoError(t, err)
	assert.Len(t, left, 2, "the file and its state")

	t.Run("has another key elsewhere", func(t *testing.T) {
		other := filepath.Join(t.TempDir(), "other")
		f.mustRun(t, "-state", other, "-apply")
		var s2 state
		b, err := os.ReadFile(other)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &s2))
		assert.NotEqual(t, s.Key, s2.Key)
	})
	t.Run("forgets secrets that are gone", func(t *testing.T) {
		store := f.srv.Stores()[0].ID
		c, err := f.srv.Client().Secrets.FindByName(t.Context(), store, "C")
		require.NoError(t, err)
		_, err = f.srv.Client().Secrets.Delete(t.Context(), store, c.ID)
		require.NoError(t, err)
		f.mustRun(t, "-apply")
		b, err := os.ReadFile(f.state())
		require.NoError(t, err)
		assert.NotContains(t, string(b), c.ID)
	})
	t.Run("is kept for other stores", func(t *testing.T) {
		st, err := loadState(f.state())
		require.NoError(t, err)
		st.Digests["other/1"] = []byte("x")
		require.NoError(t, st.forgetBut(f.srv.Stores()[0].ID, nil))
		st, err = loadState(f.state())
		require.NoError(t, err)
		assert.Equal(t, map[string][]byte{"other/1": []byte("x")}, st.Digests)
	})
	for name, content := range map[string]string{
		"is not JSON":               "hello",
		"is empty":                  "",
		"has another version":       `{"version":2,"key":"","digests":{}}`,
		"has no key":                `{"version":1,"digests":{}}`,
		"has a field we don't know": `{"version":1,"key":"` + strings.Repeat("A", 43) + `=","digests":{},"x":1}`,
	} {
		t.Run("is refused where it "+name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(f.state(), []byte(content), 0o600))
			wrote := f.writes()
			_, err := f.run(t, t.Context(), "-apply")
			require.ErrorContains(t, err, "is no state file of this program")
			assert.Equal(t, wrote, f.writes())
		})
	}
	t.Run("is tried before anything is written", func(t *testing.T) {
		wrote := f.writes()
		_, err := f.run(t, t.Context(), "-values", "-apply", "-state", filepath.Join(t.TempDir(), "no", "such", "folder"))
		require.ErrorContains(t, err, "saving the state")
		assert.Equal(t, wrote, f.writes())
	})
}

func TestTheFileIsReadStrictly(t *testing.T) {
	one := func(fields string) string { return `{"store":"s","secrets":[{` + fields + `}]}` }
	long := strings.Repeat("plain-", 11_000)
	for name, tc := range map[string]struct{ file, says string }{
		"no JSON":                        {`hello`, "invalid character"},
		"empty":                          {``, "unexpected end of JSON input"},
		"cut":                            {`{"store":"s"`, "unexpected end of JSON input"},
		"a list":                         {`[]`, "cannot unmarshal"},
		"something behind the end":       {`{"store":"s","secrets":[]} {}`, "after top-level value"},
		"not UTF-8":                      {"{\"store\":\"\xff\",\"secrets\":[]}", "UTF-8"},
		"an unknown field":               {`{"store":"s","secrets":[],"delete":true}`, `unknown field "delete"`},
		"a value":                        {one(`"name":"A","scopes":["workers"],"value":"plain-x"`), `unknown field "value"`},
		"a key twice":                    {one(`"name":"A","scopes":["workers"],"value_env":"VALUE_A","comment":"a","Comment":"b"`), `the key "Comment" twice`},
		"no store":                       {`{"secrets":[]}`, "store is missing"},
		"no secrets":                     {`{"store":"s"}`, "secrets is missing"},
		"a name twice":                   {`{"store":"s","secrets":[{"name":"A","scopes":["workers"],"value_env":"VALUE_A"},{"name":"A","scopes":["dex"],"value_env":"VALUE_B"}]}`, `secret 2 ("A"): the name is there twice`},
		"no name":                        {one(`"scopes":["workers"],"value_env":"VALUE_A"`), `secret 1: name is ""`},
		"a name with a space":            {one(`"name":"A B","scopes":["workers"],"value_env":"VALUE_A"`), `"A B"`},
		"no scopes":                      {one(`"name":"A","value_env":"VALUE_A"`), `secret 1 ("A"): scopes is empty`},
		"an empty scope":                 {one(`"name":"A","scopes":["workers",""],"value_env":"VALUE_A"`), "empty scope"},
		"no variable":                    {one(`"name":"A","scopes":["workers"]`), "value_env must be the name"},
		"a value for the variable":       {one(`"name":"A","scopes":["workers"],"value_env":"plain-x"`), "value_env must be the name"},
		"a variable that is not set":     {one(`"name":"A","scopes":["workers"],"value_env":"NO_SUCH"`), "the environment variable NO_SUCH is not set"},
		"a value that is too long":       {one(`"name":"A","scopes":["workers"],"value_env":"LONG"`), "LONG is longer than 65536 bytes"},
		"a value that is not valid text": {one(`"name":"A","scopes":["workers"],"value_env":"BYTES"`), "BYTES is not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, tc.file)
			t.Setenv("LONG", long)
			t.Setenv("BYTES", "plain-\xff")
			_, err := f.run(t, t.Context(), "-apply")
			require.ErrorContains(t, err, tc.says)
			assert.ErrorContains(t, err, "secrets.json")
			assert.Empty(t, f.srv.Requests(), "nothing is sent")
		})
	}
	t.Run("all mistakes are named", func(t *testing.T) {
		f := newFixture(t, threeSecrets)
		t.Setenv("VALUE_A", "")
		t.Setenv("VALUE_C", "")
		_, err := f.run(t, t.Context(), "-apply")
		require.ErrorContains(t, err, "VALUE_A is not set")
		require.ErrorContains(t, err, "VALUE_C is not set")
	})
}

func TestFlagsThatAreWrong(t *testing.T) {
	f := newFixture(t, threeSecrets)
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"no file, though there are credentials": {nil, "-file"},
		"a file that is not there":              {[]string{"-file", filepath.Join(t.TempDir(), "none")}, "none"},
		"an argument":                           {[]string{"-file", f.file, "apply"}, "unexpected argument"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.ErrorContains(t, run(t.Context(), tc.args, &out, &out), tc.says)
		})
	}
	t.Run("no credentials, though there is a file", func(t *testing.T) {
		t.Setenv("CLOUDFLARE_API_TOKEN", "")
		_, err := f.run(t, t.Context(), "-apply")
		require.ErrorIs(t, err, secretsstore.ErrNoCredentials)
	})
}

func TestDemo(t *testing.T) {
	for _, name := range []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_BASE_URL"} {
		t.Setenv(name, "")
	}
	t.Setenv("TMPDIR", t.TempDir())
	var out, errs bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out, &errs))
	got := out.String()
	assert.Contains(t, got, "Done: 2 created, 1 patched.")
	assert.Equal(t, 1, strings.Count(got, "Nothing to do."))
	assert.Contains(t, got, "Done: 0 created, 1 patched.")
	assert.NotContains(t, got, "demo-value")
	assert.Empty(t, errs.String())
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, &out, &errs), flag.ErrHelp)
	assert.Empty(t, out.String())
	assert.Contains(t, errs.String(), "-state file")
	assert.Contains(t, errs.String(), "HMAC-SHA-256")
}
