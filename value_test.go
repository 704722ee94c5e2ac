package secretsstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

const hidden = "hunter2-is-the-secret"

// everyForm is v as fmt, encoding/json and slog write it.
func everyForm(t *testing.T, v any) map[string]string {
	t.Helper()
	forms := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%20v", "%T %v"} {
		if verb == "%T %v" {
			forms[verb] = fmt.Sprintf(verb, v, v)
			continue
		}
		forms[verb] = fmt.Sprintf(verb, v)
	}
	forms["Sprint"] = fmt.Sprint(v)
	if b, err := json.Marshal(v); err == nil {
		forms["json"] = string(b)
	}
	var text, asJSON bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&asJSON, nil)).Info("x", "v", v)
	forms["slog text"], forms["slog json"] = text.String(), asJSON.String()
	return forms
}

func assertHidden(t *testing.T, v any) {
	t.Helper()
	part := hidden[:8] // of what is cut, too
	for form, got := range everyForm(t, v) {
		assert.NotContains(t, got, part, form)
		assert.NotContains(t, got, fmt.Sprintf("%x", part), form)
		assert.NotContains(t, got, fmt.Sprintf("%X", part), form)
	}
}

func TestSecretValueNeverPrints(t *testing.T) {
	v := secretsstore.NewSecretValue(hidden)
	type unexported struct{ inner secretsstore.SecretValue }
	type unexportedPointer struct{ inner *secretsstore.SecretValue }
	for name, value := range map[string]any{
		"a pointer":                   v,
		"a value":                     *v,
		"a field":                     struct{ Value *secretsstore.SecretValue }{v},
		"a field by value":            struct{ Value secretsstore.SecretValue }{*v},
		"an unexported field":         unexported{*v},
		"an unexported pointer field": &unexportedPointer{v},
		"a slice":                     []*secretsstore.SecretValue{v},
		"a map":                       map[string]secretsstore.SecretValue{"k": *v},
		"a map's key":                 map[secretsstore.SecretValue]int{*v: 1},
		"a patch":                     secretsstore.SecretPatch{Value: v},
		"a secret to be made":         secretsstore.SecretCreate{Name: "N", Value: v},
		"a patch of many":             &secretsstore.PatchRequest{Patch: secretsstore.SecretPatch{Value: v}},
	} {
		t.Run(name, func(t *testing.T) { assertHidden(t, value) })
	}
	for form, got := range everyForm(t, v) {
		assert.Contains(t, got, "[REDACTED]", form)
	}
	for form, got := range everyForm(t, *v) {
		assert.Contains(t, got, "[REDACTED]", form)
	}
	assert.Equal(t, "[REDACTED]", v.String(), "which fmt does not ask")
	type document struct{ V *secretsstore.SecretValue }
	text, err := xml.Marshal(document{v})
	require.NoError(t, err)
	assert.NotContains(t, string(text), hidden)
	assert.Contains(t, string(text), "[REDACTED]")
}

func TestSecretValueReveals(t *testing.T) {
	assert.Equal(t, hidden, secretsstore.NewSecretValue(hidden).Reveal())
	assert.Empty(t, (*secretsstore.SecretValue)(nil).Reveal())
	assert.Empty(t, new(secretsstore.SecretValue).Reveal())
}

func TestNilSecretValuePrintsWithoutPanic(t *testing.T) {
	for form, got := range everyForm(t, (*secretsstore.SecretValue)(nil)) {
		assert.NotContains(t, got, "panicked", form)
	}
	b, err := json.Marshal(secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")})
	require.NoError(t, err)
	assert.JSONEq(t, `{"comment":"c"}`, string(b))
}

func TestSecretValueCannotBeUnmarshalled(t *testing.T) {
	var patch secretsstore.SecretPatch
	require.ErrorContains(t, json.Unmarshal([]byte(`{"value":"[REDACTED]"}`), &patch), "NewSecretValue")
	var v secretsstore.SecretValue
	require.Error(t, v.UnmarshalText([]byte("x")))
	require.Error(t, json.Unmarshal([]byte(`"x"`), &v))
	assert.Empty(t, v.Reveal())
}

// A client is printed in a struct of its user, at any verb, with each kind of
// credentials.
func TestClientNeverPrintsCredentials(t *testing.T) {
	for name, option := range map[string]secretsstore.Option{
		"API token":     secretsstore.WithAPIToken(hidden),
		"API key":       secretsstore.WithAPIKey("user@example.com", hidden),
		"token source":  secretsstore.WithTokenSource(staticSource(hidden)),
		"token as JSON": secretsstore.WithAPIToken(hidden),
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, answering(200, `{"success":true,"errors":[],"messages":[],"result":null}`), option)
			_, err := c.Secrets.Delete(t.Context(), storeID, secretID)
			require.NoError(t, err)
			type holder struct {
				Client  *secretsstore.Client
				private *secretsstore.Client
				Secrets *secretsstore.SecretsService
				option  secretsstore.Option
			}
			assertHidden(t, c)
			assertHidden(t, *c)
			assertHidden(t, c.Secrets)
			assertHidden(t, *c.Secrets)
			assertHidden(t, *c.Stores)
			assertHidden(t, *c.Quota)
			assertHidden(t, option)
			assertHidden(t, &holder{c, c, c.Secrets, option})
			assertHidden(t, holder{c, c, c.Secrets, option})
		})
	}
}

// What a server repeats of what it was sent is not repeated by an error.
func TestErrorsHideWhatTheServerEchoes(t *testing.T) {
	const quoted = `a "quoted" <secret>`
	for name, body := range map[string]string{
		"a message":          `{"success":false,"errors":[{"code":1001,"message":"bad: ` + hidden + ` and ` + apiToken + `"}],"messages":[{"code":1,"message":"` + hidden + `"}]}`,
		"a chain":            `{"success":false,"errors":[{"code":6003,"message":"x","documentation_url":"/` + hidden + `","error_chain":[{"code":6111,"message":"` + apiToken + `","source":{"pointer":"/` + hidden + `"}}]}]}`,
		"a bare string":      `{"success":false,"errors":["` + hidden + `"]}`,
		"a page":             "<html>" + hidden + " " + apiToken,
		"a long page":        fmt.Sprintf("<html>%2030s%s", "", hidden),
		"an echoed request":  `{"comment":"x","value":"` + hidden + `"}`,
		"an escaped request": `{"value":"a \"quoted\" <secret>"}`,
		"one for a browser":  `{"value":"a \"quoted\" \u003csecret\u003e"}`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, status := range []int{200, 400, 502} {
				w := &wire{answer: func(*http.Request) (*http.Response, error) {
					resp := response(status, body)
					resp.Header.Set("Cf-Ray", apiToken)
					resp.Header.Set("Content-Type", hidden)
					return resp, nil
				}}
				c := newClient(t, w)
				for _, value := range []string{hidden, quoted} {
					_, _, err := c.Secrets.Patch(t.Context(), storeID, secretID, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(value)})
					require.Error(t, err)
					if value == quoted {
						assert.NotContains(t, fmt.Sprintf("%+v", err), `quoted`)
						assert.NotContains(t, err.Error(), `quoted`)
						continue
					}
					assertHidden(t, err)
					assert.NotContains(t, fmt.Sprintf("%+v %v", err, err), apiToken)
				}
			}
		})
	}
}

type staticSource string

func (s staticSource) Token(context.Context) (string, error) { return string(s), nil }

func TestResponseHoldsNoRequest(t *testing.T) {
	w := answering(200, `{"success":true,"errors":[],"messages":[],"result":{"id":"`+secretID+`"}}`)
	w.answer = func(req *http.Request) (*http.Response, error) {
		resp := response(200, `{"success":true,"errors":[],"messages":[],"result":{"id":"`+secretID+`"}}`)
		resp.Request = req
		return resp, nil
	}
	c := newClient(t, w, secretsstore.WithAPIToken(hidden))
	_, resp, err := c.Secrets.Patch(t.Context(), storeID, secretID, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(hidden)})
	require.NoError(t, err)
	assertHidden(t, resp)
	assertHidden(t, *resp)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[secretsstore.Response]()) {
		// What fmt would not follow, a debugger's dump would.
		assert.NotContains(t, []reflect.Type{reflect.TypeFor[*http.Request](), reflect.TypeFor[*http.Response]()}, field.Type, field.Name)
	}
}
