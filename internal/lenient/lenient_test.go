package lenient

import (
	"encoding/json"
	"testing"
	"time"

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

func TestTime(t *testing.T) {
	for _, tt := range []struct {
		json string
		want time.Time
	}{
		{`"2023-09-21T18:56:32.624632Z"`, time.Date(2023, 9, 21, 18, 56, 32, 624_632_000, time.UTC)},
		{`""`, time.Time{}},
		{`"yesterday"`, time.Time{}},
		{`1695322592`, time.Time{}},
		{`null`, time.Time{}},
		{`{"a":1}`, time.Time{}},
	} {
		var got struct{ T Time }
		require.NoError(t, json.Unmarshal([]byte(`{"T":`+tt.json+`}`), &got))
		assert.Equal(t, tt.want, got.T.Time, tt.json)
	}
}
