package lenient

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInt(t *testing.T) {
	for _, tt := range []struct {
		json string
		want Int
	}{
		{`100`, Int{100, true}},
		{`-1`, Int{-1, true}},
		{`0`, Int{0, true}},
		{`"100"`, Int{100, true}},
		{`2e1`, Int{20, true}},
		{`20.0`, Int{20, true}},
		{`"2E3"`, Int{2000, true}},
		{`9007199254740993`, Int{9007199254740993, true}},
		{`2147483647.0`, Int{2147483647, true}},
		{`2147483648.0`, Int{}},
		{`1.5`, Int{}},
		{`1e300`, Int{}},
		{`1e999`, Int{}},
		{`99999999999999999999`, Int{}},
		{`"NaN"`, Int{}},
		{`"Inf"`, Int{}},
		{`""`, Int{}},
		{`"x"`, Int{}},
		{`null`, Int{}},
		{`true`, Int{}},
		{`[1]`, Int{}},
		{`{"a":1}`, Int{}},
	} {
		var got struct{ N Int }
		require.NoError(t, json.Unmarshal([]byte(`{"N":`+tt.json+`}`), &got))
		assert.Equal(t, tt.want, got.N, tt.json)
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		json string
		want Text
	}{
		{`"a\u00e4\n"`, "aä\n"},
		{`""`, ""},
		{`null`, ""},
		{`7`, "7"},
		{`{"a":[1]}`, `{"a":[1]}`},
	} {
		var got struct{ S Text }
		require.NoError(t, json.Unmarshal([]byte(`{"S":`+tt.json+`}`), &got))
		assert.Equal(t, tt.want, got.S, tt.json)
	}
}

func TestWithoutInvalidTimes(t *testing.T) {
	for _, tt := range []struct {
		name, document string
		want           string // "": nothing was invalid
	}{
		{name: "valid", document: `{"created":"2023-09-21T18:56:32.624632Z","modified":"2023-09-21T18:56:32+02:00"}`},
		{name: "no times", document: `{"id":"a"}`},
		{name: "no JSON", document: `{"created":""`},
		{name: "empty", document: `{"id":"a","created":"","modified":"2023-09-21T18:56:32Z"}`, want: `{"id":"a","modified":"2023-09-21T18:56:32Z"}`},
		{name: "other values", document: `{"created":1700000000,"modified":{"a":1}}`, want: `{}`},
		{name: "null, which decoding accepts", document: `{"id":"a","created":null}`, want: `{"id":"a"}`},
		{name: "in a list", document: `[{"created":"yesterday"},{"result":{"modified":"x"}}]`, want: `[{},{"result":{}}]`},
		{name: "numbers stay as they are", document: `{"n":9007199254740993,"f":2e1,"created":""}`, want: `{"n":9007199254740993,"f":2e1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fixed, changed := WithoutInvalidTimes([]byte(tt.document))
			assert.Equal(t, tt.want != "", changed)
			if !changed {
				assert.Equal(t, tt.document, string(fixed))
				return
			}
			assert.JSONEq(t, tt.want, string(fixed))
			assert.NotContains(t, string(fixed), "9007199254740992")
		})
	}
}
