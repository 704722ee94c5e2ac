package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-57d84f87/secretsstore-go"
)

// console is where the program and its commands print, and knows what may not be
// printed.
type console struct {
	stdout, stderr io.Writer
	secrets        []secretsstore.SecretValue
}

// say prints a line. That it can't be printed is no reason to stop: nobody may be
// there to read it, and a roll back must go on.
func (c *console) say(format string, args ...any) {
	fmt.Fprintf(c.stdout, format+"\n", args...)
}

// keepOut makes a value of a text, and keeps both out of what commands print; also
// where it can't be a value, since it was meant to be one.
func (c *console) keepOut(from string, o textOptions, text string) (secretsstore.SecretValue, error) {
	if strings.Trim(text, "\r\n") != "" {
		c.secrets = append(c.secrets, secretsstore.NewSecretValue(text))
	}
	value, err := o.value(text)
	if err != nil {
		return secretsstore.SecretValue{}, fmt.Errorf("%s: %w", from, err)
	}
	return value, nil
}

// child makes a writer for the output of a command, which prints it to w without
// the secrets. It must be closed.
func (c *console) child(w io.Writer) *scrubber {
	s := &scrubber{w: w}
	var forms []string
	for _, secret := range c.secrets {
		some := formsOf(secret.Reveal())
		s.withhold = s.withhold || len(some) == 0
		forms = append(forms, some...)
	}
	// At one place the longest has to win, or the rest of it would be left.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range slices.Compact(forms) {
		pairs = append(pairs, form, redacted)
	}
	s.replacer = strings.NewReplacer(pairs...)
	return s
}

const (
	redacted = "[REDACTED]"
	// shortest is the length from which a text is looked for; shorter ones are part of
	// too many words.
	shortest = 4
	// longestLine is how much of a line is kept before it is printed: more than any
	// form of a value has.
	longestLine = 8 * maxValue
)

// formsOf are the lines by which a value is recognized, as it is and as programs
// often show it. There are none for a value whose lines are too short.
func formsOf(value string) []string {
	var forms []string
	value = strings.TrimSpace(value)
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); len(line) >= shortest {
			forms = append(forms, line)
		}
	}
	if len(forms) == 0 {
		return nil
	}
	if quoted, err := json.Marshal(value); err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	quoted := fmt.Sprintf("%q", value)
	forms = append(forms, quoted[1:len(quoted)-1], url.QueryEscape(value), url.PathEscape(value))
	forms = append(forms, hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))))
	// The last group differs with what follows the value, such as a line end.
	whole := []byte(value[:len(value)/3*3])
	forms = append(forms, base64.RawStdEncoding.EncodeToString(whole), base64.RawURLEncoding.EncodeToString(whole))
	return forms
}

// scrubber prints lines, indented, with [REDACTED] in place of secrets. It waits for
// the end of a line, since a command may write a secret in parts.
type scrubber struct {
	w        io.Writer
	replacer *strings.Replacer
	withhold bool
	said     bool // that output was withheld
	line     []byte
	tooLong  bool
}

// Write never fails: a command has to go on when nobody reads what it prints.
func (s *scrubber) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part, rest, ended := bytes.Cut(p, []byte("\n"))
		s.tooLong = s.tooLong || len(s.line)+len(part) > longestLine
		if !s.tooLong {
			s.line = append(s.line, part...)
		}
		if ended {
			s.print()
		}
		p = rest
	}
	return n, nil
}

// Close prints a last line that has no end.
func (s *scrubber) Close() {
	if len(s.line) > 0 || s.tooLong {
		s.print()
	}
}

func (s *scrubber) print() {
	switch {
	case s.withhold && !s.said:
		fmt.Fprintln(s.w, "  | (output withheld: a value is too short to be recognized in it)")
		s.said = true
	case s.withhold:
	case s.tooLong:
		fmt.Fprintln(s.w, "  | (a line withheld: it is too long)")
	default:
		fmt.Fprintf(s.w, "  | %s\n", s.replacer.Replace(strings.TrimSuffix(string(s.line), "\r")))
	}
	s.line, s.tooLong = s.line[:0], false
}
