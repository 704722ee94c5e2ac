package secretsstore_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// plaintext is a secret that no output may contain.
const plaintext = "hunter2-is-the-secret"

// everyForm returns v as package fmt, encoders, loggers and failing assertions show it.
func everyForm(v any) map[string]string {
	forms := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "% X", "%d", "%20v"} {
		forms[verb] = fmt.Sprintf(verb, v)
	}
	if b, err := json.Marshal(v); err == nil {
		forms["json"] = string(b)
	}
	if b, err := xml.Marshal(v); err == nil {
		forms["xml"] = string(b)
	}
	var text, object bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&object, nil)).Info("m", "v", v)
	forms["slog text"], forms["slog json"] = text.String(), object.String()
	var failed failedTest
	assert.Equal(&failed, reflect.Zero(reflect.TypeOf(v)).Interface(), v)
	assert.Nil(&failed, v)
	assert.Contains(&failed, []any{v}, "something else")
	forms["failing assertion"] = failed.text.String()
	// go-spew shows bytes as a hex dump with 16 characters on a line.
	for _, column := range regexp.MustCompile(`\|(.{1,16})\|`).FindAllStringSubmatch(failed.text.String(), -1) {
		forms["hex dump"] += column[1]
	}
	return forms
}

// A failedTest keeps what a failing assertion reports.
type failedTest struct{ text strings.Builder }

func (f *failedTest) Errorf(format string, args ...any) { fmt.Fprintf(&f.text, format, args...) }

// assertHidden asserts that no form of v contains secret, or its bytes as numbers.
func assertHidden(t *testing.T, v any, secret string) {
	t.Helper()
	for form, text := range everyForm(v) {
		assert.NotContains(t, text, secret, form)
		assert.NotContains(t, strings.ToLower(text), fmt.Sprintf("%x", secret), form)
		assert.NotContains(t, strings.ToLower(text), fmt.Sprintf("% x", secret), form)
		assert.NotContains(t, text, strings.Trim(fmt.Sprint([]byte(secret)), "[]"), form)
	}
}

func TestSecretValueIsHidden(t *testing.T) {
	v := secretsstore.NewSecretValue(plaintext)
	type unexported struct{ inner secretsstore.SecretValue }
	type unexportedPointer struct{ inner *secretsstore.SecretValue }
	for name, holder := range map[string]any{
		"a value":                      v,
		"a pointer":                    &v,
		"an exported field":            struct{ Value secretsstore.SecretValue }{v},
		"an exported pointer":          struct{ Value *secretsstore.SecretValue }{&v},
		"an unexported field":          unexported{v},
		"an unexported pointer":        unexportedPointer{&v},
		"a pointer to a struct":        &unexportedPointer{&v},
		"a slice":                      []secretsstore.SecretValue{v},
		"a slice of structs":           []unexported{{v}},
		"a map":                        map[string]secretsstore.SecretValue{"k": v},
		"a key of a map":               map[secretsstore.SecretValue]int{v: 1},
		"a patch":                      secretsstore.SecretPatch{Value: v},
		"a secret to be created":       &secretsstore.SecretCreate{Name: "N", Value: v},
		"a secret to be upserted":      secretsstore.SecretUpsert{Name: "N", Value: v},
		"the result of a patch":        secretsstore.PatchResult{Item: secretsstore.PatchItem{Patch: secretsstore.SecretPatch{Value: v}}},
		"an option with a token":       secretsstore.WithAPIToken(plaintext),
		"an option with a password":    secretsstore.WithBaseURL("https://user:" + plaintext + "@example.com"),
		"an option with a key":         secretsstore.WithAPIKey("user@example.com", plaintext),
		"an option with a header":      []secretsstore.Option{secretsstore.WithHeader("X-Secret", plaintext)},
		"a client with a token source": newClient(t, nil, secretsstore.WithTokenSource(staticToken(plaintext))),
	} {
		t.Run(name, func(t *testing.T) { assertHidden(t, holder, plaintext) })
	}
	for form, text := range everyForm(v) {
		if form != "failing assertion" && form != "hex dump" {
			assert.Contains(t, text, "[REDACTED]", form)
		}
	}
	b, err := json.Marshal(secretsstore.SecretPatch{Value: v})
	require.NoError(t, err)
	assert.JSONEq(t, `{"value":"[REDACTED]"}`, string(b))
}

func TestSecretValueEquality(t *testing.T) {
	a, again, b := secretsstore.NewSecretValue("a"), secretsstore.NewSecretValue("a"), secretsstore.NewSecretValue("b")
	assert.True(t, a == again)
	assert.True(t, a.Equal(again))
	assert.False(t, a == b)
	assert.False(t, a.Equal(b))
	assert.Equal(t, secretsstore.SecretPatch{Comment: secretsstore.Ptr("c"), Value: a}, secretsstore.SecretPatch{Comment: secretsstore.Ptr("c"), Value: again})
	assert.NotEqual(t, secretsstore.SecretPatch{Value: a}, secretsstore.SecretPatch{Value: b})
	assert.NotEqual(t, secretsstore.SecretValue{}, secretsstore.NewSecretValue(""))
	assert.Len(t, map[secretsstore.SecretValue]bool{a: true, again: true, b: true}, 2)
}

func TestSecretValueReveal(t *testing.T) {
	for _, s := range []string{"v", plaintext, "\x00\xff", strings.Repeat("é", secretsstore.MaxSecretValueSize)} {
		v := secretsstore.NewSecretValue(s)
		assert.Equal(t, s, v.Reveal())
		assert.False(t, v.IsZero())
	}
	assert.Empty(t, secretsstore.SecretValue{}.Reveal())
	assert.True(t, secretsstore.SecretValue{}.IsZero())
	assert.Empty(t, secretsstore.NewSecretValue("").Reveal())
	assert.False(t, secretsstore.NewSecretValue("").IsZero(), "an empty value is not no value")
}

// What was marshaled is [REDACTED], and must not be stored as a value.
func TestSecretValueCannotBeUnmarshaled(t *testing.T) {
	var patch secretsstore.SecretPatch
	require.ErrorContains(t, json.Unmarshal([]byte(`{"value":"[REDACTED]"}`), &patch), "a secret value cannot be unmarshaled, decode into a string")
	require.Error(t, xml.Unmarshal([]byte(`<SecretCreate><Value>v</Value></SecretCreate>`), new(secretsstore.SecretCreate)))
	assert.True(t, patch.Value.IsZero())
	require.NoError(t, json.Unmarshal([]byte(`{"comment":"c"}`), &patch))
	assert.Equal(t, commentPatch, patch)
}
