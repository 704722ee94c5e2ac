package secretsstore

import (
	"crypto/hmac"
	crand "crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"

	"github.com/seed-57d84f87/secretsstore-go/internal/redact"
)

// MaxSecretValueSize is the maximum size of a secret value in bytes.
const MaxSecretValueSize = 65_536

// A SecretValue holds the value of a secret. The zero SecretValue means "no value". It
// prints, logs and marshals as [REDACTED]. The output of %#v, of dumpers such as go-spew
// and of failing testify assertions does not reveal it either. Equal values are equal with
// ==. A SecretValue cannot be unmarshaled.
//
// NewSecretValue("") is not the zero SecretValue. Every write rejects it with
// [ErrInvalidArgument], so that a missing value is not taken for "keep the current value".
type SecretValue struct{ masked string }

// key masks values, so that dumpers of unexported fields do not reveal them. It is the same
// for the life of the process, so that equal values are equal.
var key = func() (k [sha256.Size]byte) {
	_, _ = crand.Read(k[:]) // never fails
	return k
}()

// NewSecretValue returns a SecretValue that holds s. Methods that send a value require
// valid UTF-8 of 1 to [MaxSecretValueSize] bytes.
func NewSecretValue(s string) SecretValue { return SecretValue{mask(s)} }

// Reveal returns the value as a plain string, which is not redacted. It returns "" for the
// zero SecretValue.
func (v SecretValue) Reveal() string { return unmask(v.masked) }

// IsZero reports whether v is the zero SecretValue.
func (v SecretValue) IsZero() bool { return v.masked == "" }

// Equal reports whether v and w hold the same value.
func (v SecretValue) Equal(w SecretValue) bool { return v == w }

// String returns [REDACTED].
func (v SecretValue) String() string { return redact.Placeholder }

// Format writes [REDACTED] for every verb.
func (v SecretValue) Format(f fmt.State, verb rune) { _, _ = io.WriteString(f, redact.Placeholder) }

// MarshalText returns [REDACTED].
func (v SecretValue) MarshalText() ([]byte, error) { return []byte(redact.Placeholder), nil }

// LogValue returns [REDACTED].
func (v SecretValue) LogValue() slog.Value { return slog.StringValue(redact.Placeholder) }

// UnmarshalText always returns an error, because MarshalText does not return the value.
func (v *SecretValue) UnmarshalText(text []byte) error {
	return errors.New("secretsstore: a secret value cannot be unmarshaled, decode into a string")
}

// mask returns tag + (s XOR stream): tag is HMAC(key, s), and stream is ChaCha8 with the key
// HMAC(key, tag).
func mask(s string) string {
	h := hmac.New(sha256.New, key[:])
	_, _ = io.WriteString(h, s)
	b := h.Sum(make([]byte, 0, sha256.Size+len(s)))
	b = append(b, s...)
	xor(b[:sha256.Size], b[sha256.Size:])
	return string(b)
}

func unmask(masked string) string {
	if masked == "" {
		return ""
	}
	b := []byte(masked)
	xor(b[:sha256.Size], b[sha256.Size:])
	return string(b[sha256.Size:])
}

// xor XORs b with the stream that belongs to tag. The tag is visible, so it is not the key
// of the stream.
func xor(tag, b []byte) {
	h := hmac.New(sha256.New, key[:])
	_, _ = h.Write(tag)
	stream := make([]byte, len(b))
	_, _ = rand.NewChaCha8([sha256.Size]byte(h.Sum(nil))).Read(stream)
	subtle.XORBytes(b, b, stream)
}
