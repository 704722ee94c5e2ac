package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed-57d84f87/secretsstore-go"
)

const sourceHelp = "-, file:PATH, env:NAME, random:BYTES or cmd:COMMAND"

// A source is where the value of a secret comes from.
type source struct{ kind, arg string }

// parseSource parses a SOURCE. Its errors do not quote s, which can be a value that was
// given by mistake.
func parseSource(s string) (source, error) {
	kind, arg, _ := strings.Cut(s, ":")
	switch {
	case s == "-":
		return source{kind: "-"}, nil
	case arg != "" && (kind == "file" || kind == "env" || kind == "cmd"):
		return source{kind, arg}, nil
	case kind == "random":
		if n, err := strconv.Atoi(arg); err != nil || n < 16 || base64.RawURLEncoding.EncodedLen(n) > secretsstore.MaxSecretValueSize {
			return source{}, errors.New("random:BYTES needs a number from 16 to 49152")
		}
		return source{kind, arg}, nil
	}
	return source{}, errors.New("a source of a value must be " + sourceHelp)
}

// String describes the source without the text of a command, which can hold a secret.
func (s source) String() string {
	switch s.kind {
	case "-":
		return "stdin"
	case "cmd":
		return "a command"
	}
	return s.kind + ":" + s.arg
}

// read returns the value. One line end after the value of a file, a command or standard
// input is removed.
func (s source) read(ctx context.Context, a *app) (secretsstore.SecretValue, error) {
	text, err := s.text(ctx, a)
	switch {
	case err != nil:
	case text == "":
		err = errors.New("the value is empty")
	case len(text) > secretsstore.MaxSecretValueSize:
		err = fmt.Errorf("the value is longer than %d bytes", secretsstore.MaxSecretValueSize)
	case !utf8.ValidString(text):
		err = errors.New("the value is not valid UTF-8")
	default:
		return secretsstore.NewSecretValue(text), nil
	}
	return secretsstore.SecretValue{}, fmt.Errorf("value from %s: %w", s, err)
}

func (s source) text(ctx context.Context, a *app) (string, error) {
	switch s.kind {
	case "env":
		return a.getenv(s.arg), nil
	case "random":
		n, _ := strconv.Atoi(s.arg) // checked by parseSource
		b := make([]byte, n)
		_, _ = rand.Read(b) // never fails
		return base64.RawURLEncoding.EncodeToString(b), nil
	case "cmd":
		return runForValue(ctx, a, s.arg)
	}
	if s.kind == "-" && a.isTerminal(a.stdin) {
		return "", errors.New("standard input is a terminal, which would show the value: use a pipe")
	}
	b, err := a.readFile(cmp.Or(s.arg, "-"))
	return trimLineEnd(string(b)), err
}

func trimLineEnd(s string) string {
	if line, ok := strings.CutSuffix(s, "\n"); ok {
		return strings.TrimSuffix(line, "\r")
	}
	return s
}

// runForValue runs a command in the shell and returns what it prints.
func runForValue(ctx context.Context, a *app, command string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	if runtime.GOOS == "windows" {
		cmd = exec.CommandContext(ctx, "cmd", "/c", command)
	}
	cmd.Stderr, cmd.WaitDelay = a.stderr, stopDelay
	out, err := cmd.Output()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return trimLineEnd(string(out)), err
}
