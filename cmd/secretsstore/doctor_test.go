package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// A contradiction changes the emulator so that a fact does not hold. One with only a fact
// changes the word, the code or the status in the replies to the fact's probes.
type contradiction struct {
	fact     string
	opt      secretsstoretest.ServerOption
	when     string // a pattern of the exchange, see changedAPI.RoundTrip; "" is all
	query    string // replaces the query of the request
	status   int    // replaces the status
	old, new string // a pattern in the response, and what replaces it
	header   string // is removed
	byProbe  bool

	credentials string // "key" or "read token"; "" is a token
}

const (
	doctorAccount = "985e105f4ecef8ad9ca31a8372d0c353"
	doctorEmail   = "user@example.com"
	anyResult     = `"result":\[.*?\](,"result_info|})`
	emptyResult   = `"result":[]$1`
	noRouteBody   = `{"success":false,"errors":[{"code":7003,"message":"a"},{"code":7000,"message":"b"}],"messages":[],"result":null}`
)

// contradictions returns one for each fact that doctor tests.
func contradictions() []contradiction {
	table := []contradiction{
		{fact: "response-is-json-envelope", old: `"messages":\[\],`},
		{fact: "response-has-ray-id", header: "CF-Ray"},
		{fact: "response-has-rate-limit", header: "Ratelimit-Policy"},
		{fact: "failure-result-null", old: `"result":null`, new: `"result":{}`},
		{fact: "store-and-quota-have-result-info", when: `/quota`, old: `,"result_info":\{[^}]*\}`},
		{fact: "secret-has-no-result-info", when: `^GET \S*/secrets/`, old: `}$`, new: `,"result_info":{}}`},
		{fact: "time-has-microseconds", old: `\.\d{6}Z`, new: "Z"},
		{fact: "quota-counts-account", old: `"usage":\d+`, new: `"usage":77`},

		{fact: "invalid-id-7003", when: `/a\.b`, old: "7003", new: "7001"},
		{fact: "unknown-path-7003", when: `/nowhere`, old: "7000", new: "7001"},

		{fact: "key-accepted", credentials: "key", byProbe: true},
		{fact: "email-ignores-case", credentials: "key", byProbe: true},
		{fact: "read-token-cannot-write", credentials: "read token", when: `^POST`, old: "10000", new: "9109"},
		{fact: "credentials-before-route", when: `/nowhere auth=Bearer [0-9a-f]{40}`, old: `(?s)^.*$`, new: noRouteBody},

		{fact: "store-fields", when: `^GET \S*/stores/\w+ `, old: `"account_id"`, new: `"account"`},

		{fact: "secret-fields", when: `^GET \S*/secrets/`, old: `"store_id"`, new: `"store"`},
		{fact: "secret-comment-omitted", when: `^POST`, old: `"status"`, new: `"comment":"","status"`},
		{fact: "secret-pending-after-create", when: `^POST`, old: "pending", new: "active"},
		{fact: "value-never-returned", when: `^GET \S*/secrets/`, old: `"status"`, new: `"value":"vvvvvvvv","status"`},
		{fact: "value-patch-makes-pending", when: `^PATCH`, old: "pending", new: "active"},
		{fact: "name-in-message-of-bulk-create", old: `already_exists: \w+`, new: "already_exists"},
		{fact: "name-held-after-delete", opt: secretsstoretest.WithNameHeldFor(time.Hour)},
		{fact: "name-not-patched", when: `^PATCH.*_D"`, old: `"name":"`, new: `"name":"X`},
		{fact: "scopes-sorted", when: `^PATCH`, old: `"access","workers"`, new: `"workers","access"`},
		{fact: "secret-patch-partial", when: `^PATCH.* \{"comment"`, old: `"scopes":\[[^]]*\]`, new: `"scopes":["dex"]`},
		{fact: "secret-patch-empty", when: `^PATCH .* \{\} `, old: `"modified":"\d*`, new: `"modified":"1999`},
		{fact: "null-is-absent", when: `"comment":null`, old: `"comment":"[^"]*"`, new: `"comment":""`},
		{fact: "bulk-create-atomic", when: `^POST.*_F"`, status: 200, old: `"success":false`, new: `"success":true`},

		{fact: "delete-status-202", when: `^DELETE`, status: 200},
		{fact: "deleted-secret-listed", opt: secretsstoretest.WithDeletedListedFor(time.Hour), old: `"deleted"`, new: `"active"`},
		{fact: "deleted-secret-not-writable", when: `^PATCH.*secret_not_found`, status: 200},

		{fact: "per-page-default-20", when: `/secrets auth`, old: `"per_page":20`, new: `"per_page":10`},
		{fact: "page-zero-is-default", when: `page=0`, old: `"per_page":20`, new: `"per_page":100`},
		{fact: "page-past-end-empty", when: `page=10000`, old: `"result":\[\]`, new: `"result":[{"id":"x"}]`},
		{fact: "order-default-created-desc", when: `\?per_page=100 `, old: `("result":\[\{"id":"\w+","created":")\d{4}`, new: "${1}1990"},
		{fact: "order-by-field", when: `order=created`, old: `("result":\[\{"id":"\w+","created":")\d{4}`, new: "${1}2999"},
		{fact: "search-name-and-comment", when: `search=doctor-comment`, old: anyResult, new: emptyResult},
		{fact: "search-ignores-case", when: `search=secretsstore_`, old: anyResult, new: emptyResult},
		{fact: "scopes-filter-comma", when: `scopes=access,workers`, old: anyResult, new: emptyResult},
		{fact: "scopes-filter-repeated", when: `scopes=access&scopes=workers`, old: anyResult, new: emptyResult},
		{fact: "scopes-filter-all", when: `scopes=access,dex`, query: "scopes=access"},
		{fact: "total-count-ignores-search", opt: secretsstoretest.WithFilteredTotalCount()},
	}
	for _, p := range probes() {
		if !slices.ContainsFunc(table, func(c contradiction) bool { return c.fact == p.fact }) {
			table = append(table, contradiction{fact: p.fact, byProbe: true})
		}
	}
	return table
}

// A changedAPI is the emulator with a contradiction.
type changedAPI struct {
	contradiction
	base http.RoundTripper
}

func (c changedAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
	}
	request := r.Method + " " + r.URL.RequestURI() + " auth=" + r.Header.Get("Authorization") + " email=" + r.Header.Get("X-Auth-Email") +
		" key=" + r.Header.Get("X-Auth-Key") + " type=" + r.Header.Get("Content-Type") + " " + string(sent) + " "
	r = r.Clone(r.Context())
	if sent != nil {
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	pattern := regexp.MustCompile(c.when)
	if c.query != "" && pattern.MatchString(request) {
		r.URL.RawQuery = c.query
	}
	resp, err := c.base.RoundTrip(r)
	if err != nil || c.fact == "" {
		return resp, err
	}
	if p, ok := r.Context().Value(probeKey{}).(*probe); ok && c.byProbe && p.fact == c.fact {
		switch {
		case p.word != "":
			c.old, c.new = p.word, "another_word"
		case p.code != 0:
			c.old, c.new = fmt.Sprintf(`"code":%d\b`, p.code), `"code":1`
		default:
			c.status = 418
		}
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && pattern.MatchString(request+string(body)) {
		if c.status != 0 {
			resp.StatusCode = c.status
		}
		if c.old != "" {
			body = regexp.MustCompile(c.old).ReplaceAll(body, []byte(c.new))
		}
		resp.Header.Del(c.header)
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, err
}

// examineChanged runs doctor --write against the emulator with a contradiction.
func examineChanged(t *testing.T, c contradiction) (status int, verdicts map[string]verdict, text string) {
	credentials := map[string][3]string{"": {"secret-token"}, "read token": {"read-token"}, "key": {"", doctorEmail, "secret-key"}}[c.credentials]
	t.Setenv("CLOUDFLARE_API_TOKEN", credentials[0])
	t.Setenv("CLOUDFLARE_EMAIL", credentials[1])
	t.Setenv("CLOUDFLARE_API_KEY", credentials[2])
	t.Setenv("CLOUDFLARE_ACCOUNT_ID", doctorAccount)
	t.Setenv("CLOUDFLARE_BASE_URL", "https://secretsstore.invalid/client/v4")
	synctest.Test(t, func(t *testing.T) {
		srv := secretsstoretest.NewServer(c.opt, secretsstoretest.WithoutListener(), secretsstoretest.WithAccountID(doctorAccount),
			secretsstoretest.WithAPIToken("secret-token"), secretsstoretest.WithAPIKey(doctorEmail, "secret-key"), secretsstoretest.WithPendingFor(20*time.Second))
		srv.AddToken("read-token", secretsstoretest.PermissionRead)
		store := srv.AddStore("production")
		srv.AddSecret(store.ID, secretsstore.SecretCreate{Name: "OTHER", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")})
		time.Sleep(time.Hour) // or all would be created at the same time
		var stdout, stderr bytes.Buffer
		status = run([]string{"doctor", "--write", "--yes", "-o", "json"}, environment{
			stdin: &bytes.Buffer{}, stdout: &stdout, stderr: &stderr, getenv: os.Getenv,
			isTerminal: func(any) bool { return false }, transport: changedAPI{c, srv.Transport()},
		})
		text = stderr.String()
		var report doctorReport
		require.NoError(t, json.Unmarshal(stdout.Bytes(), &report), "%s", text)
		verdicts = map[string]verdict{}
		for _, f := range report.Facts {
			verdicts[f.ID] = f.Verdict
			assert.Equal(t, f.Verdict == confirmed, f.Detail == "", "%s: %s %q", f.ID, f.Verdict, f.Detail)
		}
		left := slices.DeleteFunc(srv.Secrets(store.ID), func(s secretsstore.Secret) bool { return s.Status == secretsstore.SecretStatusDeleted })
		assert.Len(t, left, 1)
	})
	return status, verdicts, text
}

func TestDoctorConfirmsTheEmulator(t *testing.T) {
	for credentials, want := range map[string]int{"": exitDone, "key": exitDone, "read token": exitFailed} {
		status, verdicts, text := examineChanged(t, contradiction{credentials: credentials})
		assert.Equal(t, want, status, text)
		for _, fact := range secretsstoretest.Facts() {
			assert.NotEqual(t, contradicted, verdicts[fact.ID], fact.ID)
		}
		assert.Equal(t, map[string]verdict{"": notTested, "key": notTested, "read token": confirmed}[credentials], verdicts["read-token-cannot-write"])
	}
}

func TestDoctorReportsContradictions(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range contradictions() {
		tested[c.fact] = true
		t.Run(c.fact, func(t *testing.T) {
			status, verdicts, text := examineChanged(t, c)
			assert.Equal(t, contradicted, verdicts[c.fact], text)
			assert.Contains(t, []int{exitFailed, exitPartly}, status)
			assert.Contains(t, text, "contradicted: "+c.fact+": ")
		})
	}
	for _, fact := range secretsstoretest.Facts() {
		assert.True(t, tested[fact.ID] || untested[fact.ID] != "", "%s has neither a probe nor a reason", fact.ID)
	}
}
