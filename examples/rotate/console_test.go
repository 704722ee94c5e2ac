package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScrubber(t *testing.T) {
	const value = `se/cr"et+1`
	for name, tc := range map[string]struct {
		secret, printed, want string
	}{
		"passes on what is no secret":            {value, "one\ntwo", "  | one\n  | two\n"},
		"as it is":                               {value, "key " + value + ", again " + value, "  | key [REDACTED], again [REDACTED]\n"},
		"without the line end of its file":       {value + "\n", "<" + value + ">", "  | <[REDACTED]>\n"},
		"in JSON":                                {value, `{"k":"se/cr\"et+1"}`, "  | {\"k\":\"[REDACTED]\"}\n"},
		"in a query":                             {value, "?k=" + url.QueryEscape(value), "  | ?k=[REDACTED]\n"},
		"in a path":                              {value, "/" + url.PathEscape(value) + "/", "  | /[REDACTED]/\n"},
		"in hexadecimal":                         {value, hex.EncodeToString([]byte(value)), "  | [REDACTED]\n"},
		"in base64":                              {"abcdef", base64.StdEncoding.EncodeToString([]byte("abcdef")), "  | [REDACTED]\n"},
		"in base64, with a line end":             {"abcdef", base64.StdEncoding.EncodeToString([]byte("abcdef\n")), "  | [REDACTED]Cg==\n"},
		"each line of several, indented":         {"first-line\nsecond-line\n", "> first-line\r\n\t second-line", "  | > [REDACTED]\n  | \t [REDACTED]\n"},
		"several lines in one":                   {"first-line\nsecond-line", `first-line\nsecond-line`, "  | [REDACTED]\n"},
		"withholds all where it is too short":    {"abc", "one abc\ntwo", "  | (output withheld: a value is too short to be recognized in it)\n"},
		"withholds all where its lines are so":   {"ab\ncd\n", "one ab\ntwo", "  | (output withheld: a value is too short to be recognized in it)\n"},
		"prints nothing where nothing was":       {value, "", ""},
		"keeps empty lines":                      {value, "\n\n", "  | \n  | \n"},
		"takes no part of a line for a value":    {value, value[1:], "  | " + value[1:] + "\n"},
		"as the program wrote it, bytes at once": {value, value + "\n" + value, "  | [REDACTED]\n  | [REDACTED]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 7, 1 << 20} {
				con := new(console)
				_, err := con.keepOut("x", textOptions{}, tc.secret)
				require.NoError(t, err)
				var out bytes.Buffer
				s := con.child(&out)
				_, err = io.CopyBuffer(struct{ io.Writer }{s}, struct{ io.Reader }{strings.NewReader(tc.printed)}, make([]byte, size))
				require.NoError(t, err)
				s.Close()
				assert.Equal(t, tc.want, out.String())
			}
		})
	}
	t.Run("withholds a line that has no end", func(t *testing.T) {
		con := new(console)
		_, err := con.keepOut("x", textOptions{}, value)
		require.NoError(t, err)
		var out bytes.Buffer
		s := con.child(&out)
		for _, part := range []string{strings.Repeat("x", longestLine), "y", value, "\nnext"} {
			_, _ = s.Write([]byte(part))
		}
		s.Close()
		assert.Equal(t, "  | (a line withheld: it is too long)\n  | next\n", out.String())
	})
	t.Run("the longer of two values that begin alike", func(t *testing.T) {
		con := new(console)
		for _, secret := range []string{"secret", "secret-2"} {
			_, err := con.keepOut("x", textOptions{}, secret)
			require.NoError(t, err)
		}
		var out bytes.Buffer
		s := con.child(&out)
		_, _ = s.Write([]byte("secret-2 secret"))
		s.Close()
		assert.Equal(t, "  | [REDACTED] [REDACTED]\n", out.String())
	})
}
