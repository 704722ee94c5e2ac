package secretsstore

import (
	"encoding/json"
	"errors"
	"fmt"
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
		`{"success":tru}`, `{"success":true,"errors":[}`, `{"success":true,"errors":}`, `{"success":true,"messages":}`, `{"success":true,"result_info":}`, `{"success":true,"messages":nil}`, `{"success":true,"result_info":{"page":}}`,
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
	for _, tc := range []struct {
		success      bool
		result, info string
	}{
		{true, `{"id":7}`, `{"page":1}`},
		{true, `{"id":"x"}`, `[]`},
		{false, `{"id":"x"}`, `[]`},
		{true, `{"id":"x"},"result":{"id":"x"}`, `{"page":1}`},
		{false, `{"id":"x"},"result":{"id":"x"}`, `{"page":1}`},
		{true, `{"id":"x"},"success":true`, `{"page":1}`},
	} {
		env, err := readEnvelope(fmt.Appendf(nil, `{"success":%v,"errors":["e"],"messages":["m"],"result":%s,"result_info":%s}`, tc.success, tc.result, tc.info), new(Secret))
		require.Error(t, err)
		assert.True(t, env.isWhole)
		assert.Equal(t, tc.success, env.success)
		assert.Equal(t, []ErrorDetail{{Message: "e"}}, env.errors)
		assert.Equal(t, []Message{{Message: "m"}}, env.messages)
		assert.NotNil(t, env.resultInfo)
		assert.NotNil(t, env.result)
	}
}

// A result is written nowhere unless all of the answer says that it is one.
func TestResultOfNoSuccessIsLeftAlone(t *testing.T) {
	for _, body := range []string{
		`{"success":false,"result":{"id":"new"}}`, `{"result":{"id":"new"}}`, `{"success":tru,"result":{"id":"new"}}`,
		`{"success":true,"result_info":[],"result":{"id":"new"}}`, `{"success":true,"result_info":{"page":nope},"result":{"id":"new"}}`,
		`{"success":true,"result":{"id":"new"},"errors":[nope]}`, `{"success":true,"result":{"id":"new"},"success":true}`,
	} {
		secret := Secret{ID: "old"}
		_, _ = readEnvelope([]byte(body), &secret)
		assert.Equal(t, "old", secret.ID, body)
	}
}

// FuzzEnvelope holds that an envelope is read as encoding/json reads a struct.
func FuzzEnvelope(f *testing.F) {
	for _, body := range []string{
		`{"success":true,"errors":[],"messages":[],"result":{"id":"x"},"result_info":{"page":2e1}}`, ` { "SUCCESS" : false , "\u0072esult" : null } `,
		`{"success":true,"result":1,"result":"}\\\"","a":[{}]}`, `{"success":1,"result_info":[]}`, `{"ſucceſſ":true,"errors":{"a":"]"}}`, `{}`, `{"":1,}`, `[`,
		`{"success":true,"messages":1e999,"errors":[{"code":1e999},-1e999]}`, `{"success":false,"success":true}`, `{"success":true,"errors":{},"messages":""}`,
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
