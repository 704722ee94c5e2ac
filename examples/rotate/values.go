package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/seed-57d84f87/secretsstore-go"
)

// source gets a value, and has the console keep it out of what is printed.
type source func(ctx context.Context, con *console) (secretsstore.SecretValue, error)

// maxValue is how many bytes the API takes.
const maxValue = 65_536

// textOptions say how the text of a command or file becomes a value.
type textOptions struct {
	keepNewline bool
}

func (o textOptions) value(text string) (secretsstore.SecretValue, error) {
	if !o.keepNewline {
		text = strings.TrimSuffix(text, "\n")
		text = strings.TrimSuffix(text, "\r")
	}
	// The client checks this too, but the old value must be known to be good before
	// the new one is patched.
	switch {
	case text == "":
		return secretsstore.SecretValue{}, errors.New("it is empty")
	case len(text) > maxValue:
		return secretsstore.SecretValue{}, fmt.Errorf("it has more than %d bytes", maxValue)
	case !utf8.ValidString(text):
		return secretsstore.SecretValue{}, errors.New("it is not UTF-8")
	case strings.Contains(text, secretsstore.NewSecretValue("").String()):
		return secretsstore.SecretValue{}, errors.New("it has the word that stands for a value in what is printed")
	}
	return secretsstore.NewSecretValue(text), nil
}

// fileSource reads a file, which may also be a pipe.
func fileSource(flag, name string, text textOptions) source {
	return func(ctx context.Context, con *console) (secretsstore.SecretValue, error) {
		type content struct {
			text string
			err  error
		}
		// Opening or reading a pipe can last for ever, and Ctrl-C must end it.
		read := make(chan content, 1)
		go func() {
			file, err := os.Open(name)
			if err != nil {
				read <- content{err: err}
				return
			}
			defer file.Close()
			b, err := io.ReadAll(io.LimitReader(file, maxValue+3)) // one more than a value and a line end
			read <- content{string(b), err}
		}()
		select {
		case <-ctx.Done():
			return secretsstore.SecretValue{}, fmt.Errorf("%s: %w", flag, context.Cause(ctx))
		case c := <-read:
			if c.err != nil {
				return secretsstore.SecretValue{}, fmt.Errorf("%s: %w", flag, c.err)
			}
			return con.keepOut(flag, text, c.text)
		}
	}
}

// environmentSource reads a variable.
func environmentSource(name string) source {
	return func(_ context.Context, con *console) (secretsstore.SecretValue, error) {
		return con.keepOut("-old-env "+name, textOptions{keepNewline: true}, os.Getenv(name))
	}
}

// checkRandom says whether a random value can be made so: long enough not to be
// guessed, and short enough as text.
func checkRandom(n int, encoding string) error {
	switch {
	case n < 16 || n > maxValue/2:
		return fmt.Errorf("-new-random is %d: it must be 16 to %d bytes", n, maxValue/2)
	case encode(nil, encoding) == nil:
		return fmt.Errorf("-new-encoding is %q: it must be base64url, base64 or hex", encoding)
	}
	return nil
}

// randomSource makes a value of n random bytes.
func randomSource(n int, encoding string) source {
	return func(_ context.Context, con *console) (secretsstore.SecretValue, error) {
		b := make([]byte, n)
		_, _ = rand.Read(b) // it never fails
		return con.keepOut("-new-random", textOptions{}, *encode(b, encoding))
	}
}

func encode(b []byte, encoding string) *string {
	var text string
	switch encoding {
	case "base64url":
		text = base64.RawURLEncoding.EncodeToString(b)
	case "base64":
		text = base64.StdEncoding.EncodeToString(b)
	case "hex":
		text = hex.EncodeToString(b)
	default:
		return nil
	}
	return &text
}
