package secretsstore

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// shortestScrubbed is the length from which a secret is looked for in a server's
// text. Shorter ones are part of too many words.
const shortestScrubbed = 4

// hidden is a secret that is taken out of a server's text.
type hidden struct {
	secret    string
	spellings []string // nil until a text could hold it
}

// spelled returns the secret as it is, and as it is commonly written.
func (h *hidden) spelled() []string {
	if h.spellings == nil {
		h.spellings = spellings(h.secret)
	}
	return h.spellings
}

// allHidden is what scrub takes out, the longest first, since one secret may be part
// of another.
func (r *request) allHidden() []hidden {
	if r.hidden == nil {
		for _, v := range slices.Concat(r.signed, r.op.secrets) {
			if secret := v.Reveal(); len(secret) >= shortestScrubbed {
				r.hidden = append(r.hidden, hidden{secret: secret})
			}
		}
		slices.SortStableFunc(r.hidden, func(a, b hidden) int { return cmp.Compare(len(b.secret), len(a.secret)) })
	}
	return r.hidden
}

// scrub takes out of a server's text the secrets that this call sent it: the
// credentials of its attempts, and its values.
func (r *request) scrub(s string) string {
	for i := range r.allHidden() {
		h := &r.hidden[i]
		if len(h.secret) > len(s) {
			continue // and so is each way to write it
		}
		for _, spelling := range h.spelled() {
			s = strings.ReplaceAll(s, spelling, redacted)
		}
	}
	return s
}

// scrubStart is the start of a server's text, n bytes at most, without secrets, and
// without the start of one that the text breaks off in.
func (r *request) scrubStart(s string, n int) string {
	isCut := len(s) > n
	s = r.scrub(s[:min(n, len(s))])
	for i := range r.allHidden() {
		for _, spelling := range r.hidden[i].spelled() {
			s = scrubEnd(s, spelling)
		}
	}
	if s = start(s, n); isCut && !strings.HasSuffix(s, "…") {
		s = strings.ToValidUTF8(s, "") + "…"
	}
	return s
}

// scrubEnd takes the start of a secret off the end of s.
func scrubEnd(s, secret string) string {
	for n := min(len(s), len(secret)-1); n >= shortestScrubbed; n-- {
		if strings.HasSuffix(s, secret[:n]) {
			return s[:len(s)-n] + redacted
		}
	}
	return s
}

// spellings are a text as it is, as JSON writes it, for a browser and not, as Go
// quotes it, and as it is written in URLs.
func spellings(text string) []string {
	all := []string{text}
	add := func(spelling string) {
		if !slices.Contains(all, spelling) {
			all = append(all, spelling)
		}
	}
	for _, escapeHTML := range []bool{true, false} {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(escapeHTML)
		if err := e.Encode(text); err == nil {
			add(unquoted(strings.TrimSuffix(b.String(), "\n")))
		}
	}
	add(unquoted(strconv.Quote(text)))
	add(unquoted(strconv.QuoteToASCII(text)))
	add(url.QueryEscape(text))
	add(url.PathEscape(text))
	return all
}

func unquoted(s string) string { return s[1 : len(s)-1] }

// scrubError takes secrets out of the text of an error that repeats what a server
// sent, as net/http's and encoding/json's do.
func (r *request) scrubError(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	scrubbed := r.scrub(text)
	if scrubbed == text {
		return err
	}
	behind := err // of its own, so that no call without an error allocates
	return &scrubbedError{text: scrubbed, err: &behind}
}

// scrubbedError is an error in other words. It can't be unwrapped, so that whoever
// prints what is behind it does not print it.
type scrubbedError struct {
	text string
	err  *error // behind a pointer, which fmt does not follow
}

// Error is the text without secrets.
func (e *scrubbedError) Error() string { return e.text }

// Is says what the error is.
func (e *scrubbedError) Is(target error) bool { return errors.Is(*e.err, target) }

// As finds the error of a type.
func (e *scrubbedError) As(target any) bool { return errors.As(*e.err, target) }

func (r *request) scrubErrors(details []ErrorDetail) {
	for i := range details {
		d := &details[i]
		d.Message = r.scrub(d.Message)
		d.DocumentationURL = r.scrub(d.DocumentationURL)
		d.Source.Pointer = r.scrub(d.Source.Pointer)
		r.scrubErrors(d.Chain)
	}
}

func (r *request) scrubMessages(messages []Message) {
	for i := range messages {
		m := &messages[i]
		m.Message = r.scrub(m.Message)
		m.DocumentationURL = r.scrub(m.DocumentationURL)
		m.Source.Pointer = r.scrub(m.Source.Pointer)
	}
}
