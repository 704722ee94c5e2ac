package secretsstore

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// redacted stands wherever a secret would otherwise be printed.
const redacted = "[REDACTED]"

// SecretValue holds the value of a secret so that it can't be printed by
// accident: package fmt with any verb, encoding/json, encoding.TextMarshaler
// users such as XML and YAML, and log/slog all show it as [REDACTED], also where
// it is a field of another struct. Only the request to the API, and [SecretValue.Reveal],
// see the text.
//
// The string is behind a pointer because fmt calls no method on what it reaches
// through an unexported field; there it prints the address, and not the value.
//
// A SecretValue can't be unmarshalled: what was marshalled is [REDACTED], and
// reading that back would replace a secret by this word.
type SecretValue struct {
	p *string
}

// NewSecretValue holds s as the value of a secret. The API takes values of at
// most 65,536 bytes of valid UTF-8; the methods that send a value check this.
func NewSecretValue(s string) *SecretValue {
	return &SecretValue{p: &s}
}

// Reveal returns the text. It is there for wrappers that must have it; nothing
// that it returns is protected any more. A nil or zero SecretValue reveals "".
func (v *SecretValue) Reveal() string {
	if v == nil || v.p == nil {
		return ""
	}
	return *v.p
}

// Format writes [REDACTED], whatever the verb.
func (v SecretValue) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns [REDACTED].
func (v SecretValue) String() string { return redacted }

// MarshalJSON returns "[REDACTED]" as a JSON string.
func (v SecretValue) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns [REDACTED].
func (v SecretValue) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns [REDACTED]. It has a pointer receiver, unlike the other
// methods, since slog calls it on a nil pointer too.
func (v *SecretValue) LogValue() slog.Value { return slog.StringValue(redacted) }

var errUnmarshalValue = errors.New("secretsstore: a SecretValue can't be unmarshalled: use NewSecretValue")

// UnmarshalJSON always fails; see [SecretValue].
func (v *SecretValue) UnmarshalJSON([]byte) error { return errUnmarshalValue }

// UnmarshalText always fails; see [SecretValue].
func (v *SecretValue) UnmarshalText([]byte) error { return errUnmarshalValue }
