package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-57d84f87/secretsstore-go"
)

// wanted is what the file says that a store is to hold.
type wanted struct {
	Store   string  `json:"store"`
	Secrets []entry `json:"secrets"`
}

// entry is one secret of the file, with its value from the environment.
type entry struct {
	Name     string               `json:"name"`
	Comment  string               `json:"comment"`
	Scopes   []secretsstore.Scope `json:"scopes"`
	ValueEnv string               `json:"value_env"`

	value secretsstore.SecretValue
}

// The rules of the API, looked at here too: a mistake in the last entry is to be found
// before the first is written.
var (
	nameForm     = regexp.MustCompile(`^[0-9A-Za-z_-]+$`)
	variableForm = regexp.MustCompile(`^[A-Za-z_][0-9A-Za-z_]*$`)
)

const maxValue = 65_536

// readWanted reads the file, and the values from the environment. It reports all
// mistakes at once, and never what it read as a value.
func readWanted(file []byte, getenv func(string) string) (wanted, error) {
	var want wanted
	if err := decodeStrict(file, &want); err != nil {
		return want, err
	}
	var mistakes []error
	mistake := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	if want.Store == "" {
		mistake("store is missing: the name of the store")
	}
	if want.Secrets == nil {
		mistake("secrets is missing: the list of secrets")
	}
	seen := map[string]bool{}
	for i := range want.Secrets {
		e := &want.Secrets[i]
		who := fmt.Sprintf("secret %d (%q)", i+1, e.Name)
		switch {
		case !nameForm.MatchString(e.Name):
			mistake(`secret %d: name is %q: it must be letters, digits, "_" and "-"`, i+1, e.Name)
		case seen[e.Name]:
			mistake("%s: the name is there twice", who)
		}
		seen[e.Name] = true
		if len(e.Scopes) == 0 || slices.Contains(e.Scopes, "") {
			mistake("%s: scopes is empty, or has an empty scope", who)
		}
		// What is no name of a variable is not shown: it may be the value itself.
		if !variableForm.MatchString(e.ValueEnv) {
			mistake("%s: value_env must be the name of an environment variable", who)
			continue
		}
		value := getenv(e.ValueEnv)
		switch {
		case value == "":
			mistake("%s: the environment variable %s is not set", who, e.ValueEnv)
		case len(value) > maxValue:
			mistake("%s: the environment variable %s is longer than %d bytes", who, e.ValueEnv, maxValue)
		case !utf8.ValidString(value):
			mistake("%s: the environment variable %s is not valid UTF-8", who, e.ValueEnv)
		}
		e.value = secretsstore.NewSecretValue(value)
	}
	return want, errors.Join(mistakes...)
}

// decodeStrict refuses, beside what is no JSON, what encoding/json would let pass in
// silence: unknown fields, a key that is there twice, and text that is not UTF-8.
func decodeStrict(file []byte, into any) error {
	if !utf8.Valid(file) {
		return errors.New("the file is not valid UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(file, &whole); err != nil {
		return err
	}
	if err := checkKeys(json.NewDecoder(bytes.NewReader(whole))); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(whole))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// checkKeys reads one JSON value and refuses an object that has a key twice, in
// whatever case: of two comments one would be lost.
func checkKeys(dec *json.Decoder) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	start, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if start == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ := key.(string)
			folded := strings.ToLower(name)
			if seen[folded] {
				return fmt.Errorf("an object has the key %q twice", name)
			}
			seen[folded] = true
		}
		if err := checkKeys(dec); err != nil {
			return err
		}
	}
	_, err = dec.Token() // the end of the object, or list
	return err
}
