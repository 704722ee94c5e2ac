package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/seed-57d84f87/secretsstore-go"
)

// A tap is a transport that sends the requests of probes as they are, which the client would
// refuse to send. It keeps the state of the last TLS connection.
type tap struct {
	base http.RoundTripper
	tls  atomic.Pointer[tls.ConnectionState]
}

type probeKey struct{}

// RoundTrip sends a request, as the probe in its context says.
func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	if p, ok := r.Context().Value(probeKey{}).(*probe); ok {
		r = r.Clone(r.Context())
		p.edit(r)
	}
	resp, err := t.base.RoundTrip(r)
	if err == nil {
		t.tls.Store(resp.TLS)
	}
	return resp, err
}

// A reply is the last response to a request, or that there was none.
type reply struct {
	*secretsstore.Response // nil: none
	err                    error
}

func (r reply) succeeded() bool { return r.Response != nil && r.err == nil }

// usable reports whether the reply says something about the API: it is neither an error of a
// gateway nor the rate limit.
func (r reply) usable() bool {
	return r.Response != nil && r.StatusCode < 500 && r.StatusCode != http.StatusTooManyRequests
}

// secrets returns the secrets in the result, which is one secret or a list.
func (r reply) secrets() (list []secretsstore.Secret) {
	var secret secretsstore.Secret
	if !r.succeeded() || r.DecodeResult(&list) == nil || r.DecodeResult(&secret) != nil {
		return list
	}
	return []secretsstore.Secret{secret}
}

// secret returns the only secret in the result, or a zero one, which fails the probe.
func (r reply) secret() secretsstore.Secret {
	if list := r.secrets(); len(list) == 1 {
		return list[0]
	}
	return secretsstore.Secret{}
}

func (r reply) hasCode(code int) bool { return r.Response != nil && hasCode(r.Errors, code) }

func hasCode(details []secretsstore.Detail, code int) bool {
	for _, d := range details {
		if d.Code == code || hasCode(d.Chain, code) {
			return true
		}
	}
	return false
}

var apiWord = regexp.MustCompile(`^[a-z]+(_[a-z]+)+`)

// word returns the word that the message of an error starts with, such as store_not_found.
func (r reply) word() string {
	if r.Response == nil || len(r.Errors) == 0 {
		return ""
	}
	return apiWord.FindString(r.Errors[0].Message)
}

// String describes the reply without anything that identifies the account.
func (r reply) String() string {
	if r.Response == nil {
		return "no response"
	}
	text := fmt.Sprintf("status %d", r.StatusCode)
	if len(r.Errors) > 0 {
		text += fmt.Sprintf(", code %d %s", r.Errors[0].Code, r.word())
	}
	return strings.TrimSpace(text)
}

const storePath = "/accounts/{account_id}/secrets_store"

// send sends the request of a probe, see probe.line.
func (d *doctor) send(ctx context.Context, p probe) reply {
	words := d.words()
	method, path, _ := strings.Cut(words.Replace(p.line), " ")
	p.body, p.headers = words.Replace(p.body), words.Replace(p.headers)
	client := d.plain
	if !strings.HasPrefix(path, "/user") && !strings.HasPrefix(path, "/accounts") && !strings.HasPrefix(path, "/EMPTY") {
		path, client = storePath+path, d.client
	}
	resp, err := client.Do(context.WithValue(ctx, probeKey{}, &p), method, path, nil, nil)
	return reply{resp, err}
}

// edit changes a request of the client to that of the probe.
func (p *probe) edit(r *http.Request) {
	r.URL.Path = strings.ReplaceAll(r.URL.Path, "EMPTY", "")
	if p.body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(p.body)), int64(len(p.body))
		r.Header.Set("Content-Type", "application/json")
	}
	if p.headers == "" {
		return
	}
	if !p.withCredentials {
		for _, name := range []string{"Authorization", "X-Auth-Email", "X-Auth-Key"} {
			r.Header.Del(name)
		}
	}
	for header := range strings.SplitSeq(p.headers, "; ") {
		if name, value, ok := strings.Cut(header, ": "); ok {
			r.Header.Set(name, value)
		}
	}
}

// words replaces the words in capitals of a probe.
func (d *doctor) words() *strings.Replacer {
	pairs := []string{
		"UNKNOWNTOKEN", d.unknownToken, "UNKNOWN", d.unknownID, "UUID", "01234567-89ab-4def-8123-" + d.unknownID[:12],
		"LONG", strings.Repeat("a", 37), "GLOBALKEY", "cfk_" + strings.Repeat("a", 50), "STORE", d.store.ID,
		"MYEMAIL", strings.ToUpper(strings.TrimSpace(d.getenv("CLOUDFLARE_EMAIL"))), "MYKEY", strings.TrimSpace(d.getenv("CLOUDFLARE_API_KEY")),
	}
	if d.subject != nil {
		pairs = append(pairs, "SECRET", d.subject.ID)
	}
	if t := d.throwaway; t != nil {
		pairs = append(pairs, "LOWERNAME", strings.ToLower(t.name), "NAME", t.name, "COMMENT", t.comment, "VALUE", t.value.Reveal(),
			"TOOBIG", strings.Repeat("v", secretsstore.MaxSecretValueSize+1), "BIG", strings.Repeat("v", secretsstore.MaxSecretValueSize))
	}
	return strings.NewReplacer(pairs...)
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
