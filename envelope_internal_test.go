package secretsstore

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is no JSON is nothing, wherever it stops being JSON.
func TestEnvelopeThatIsNoJSON(t *testing.T) {
	const whole = `{"success":false,"errors":[{"code":1}],"x":[1,"]"],"messages":["m"],"result":{"id":"x"},"result_info":{"page":1}}`
	for n := range len(whole) {
		env, err := readEnvelope([]byte(whole[:n]), new(Secret))
		require.Error(t, err, whole[:n])
		require.Zero(t, env, whole[:n])
	}
	for _, body := range []string{
		whole + "x", whole + whole, `{,"success":true}`, `{"success":true,}`, `{"success" true}`, `{"success":true "result":1}`,
		`{success:true}`, `{"success":true,"a\q":1}`, "{\"success\":true,\"a\nb\":1}", `{"success":true;"result":1}`, `{"success":tru"e"}`,
		`{"success":true,"result":1{}}`, `{"success":true,"result":{]}`, `{"success":true,"result":}`, `{"success":true,"unknown":nul}`,
		`{"success":tru}`, `{"success":true,"errors":[}`, `{"success":true,"messages":nil}`, `{"success":true,"result_info":{"page":}}`,
		`{"result":tru,"result":true,"success":true}`, `{"errors":x,"errors":[],"success":true}`, `{"success":true}}`, `{}{}`, `{} x`,
	} {
		env, err := readEnvelope([]byte(body), new(none))
		var syntax *json.SyntaxError
		require.ErrorAs(t, err, &syntax, body)
		require.Zero(t, env, body)
	}
	for _, body := range []string{`null`, ` [{"success":true}]`, `"{}"`, `1`} {
		_, err := readEnvelope([]byte(body), new(none))
		require.ErrorIs(t, err, errNoObject, body)
	}
}

// One part that can't be read takes nothing from the others.
func TestEnvelopeWithAPartThatCannotBeRead(t *testing.T) {
	for _, tc := range []struct{ result, info string }{
		{`{"id":7}`, `{"page":1}`},
		{`{"id":"x"}`, `[]`},
		{`{"id":"x"},"result":{"id":"x"}`, `{"page":1}`},
	} {
		env, err := readEnvelope([]byte(`{"success":false,"errors":["e"],"messages":["m"],"result":`+tc.result+`,"result_info":`+tc.info+`}`), new(Secret))
		require.Error(t, err)
		assert.True(t, env.isWhole)
		assert.False(t, env.success)
		assert.Equal(t, []ErrorDetail{{Message: "e"}}, env.errors)
		assert.Equal(t, []Message{{Message: "m"}}, env.messages)
		assert.NotNil(t, env.resultInfo)
		assert.NotNil(t, env.result)
	}
}

// FuzzEnvelope holds that an envelope is read as encoding/json reads a struct.
func FuzzEnvelope(f *testing.F) {
	for _, body := range []string{
		`{"success":true,"errors":[],"messages":[],"result":{"id":"x"},"result_info":{"page":2e1}}`, ` { "SUCCESS" : false , "\u0072esult" : null } `,
		`{"success":true,"result":1,"result":"}\\\"","a":[{}]}`, `{"success":1,"result_info":[]}`, `{"ſucceſſ":true,"errors":{"a":"]"}}`, `{}`, `{"":1,}`, `[`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Count(body, "[")+strings.Count(body, "{") > 1_000 {
			t.Skip("encoding/json bounds the depth, and counts from where it begins")
		}
		var want struct {
			Success                  any
			Errors, Messages, Result json.RawMessage
			ResultInfo               json.RawMessage `json:"result_info"`
		}
		wantErr := json.Unmarshal([]byte(body), &want)
		env, err := readEnvelope([]byte(body), new(none))
		success, isBool := want.Success.(bool)
		if wantErr != nil || !isBool {
			if err == nil {
				t.Fatalf("%q passes: %+v", body, env)
			}
			return
		}
		isInfo := isNone(want.ResultInfo) || want.ResultInfo[0] == '{'
		if (err == nil) != isInfo && !errors.Is(err, errTwice) {
			t.Fatalf("%q: %v", body, err)
		}
		if isNone(want.Result) {
			want.Result = nil
		}
		if !env.isWhole || env.success != success || string(env.result) != string(want.Result) ||
			(env.resultInfo == nil) != isNone(want.ResultInfo) {
			t.Fatalf("%q is read as %+v", body, env)
		}
	})
}
