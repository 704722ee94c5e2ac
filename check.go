package secretsstore

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/seed-57d84f87/secretsstore-go/internal/grammar"
	"github.com/seed-57d84f87/secretsstore-go/internal/redact"
)

func checkID(argument, id string) error {
	if reason := grammar.ID(id); reason != "" {
		return invalid(argument, reason)
	}
	return nil
}

// checkText rejects invalid UTF-8, which encoding/json would replace silently.
func checkText(argument, s string) error {
	if !utf8.ValidString(s) {
		return invalid(argument, "not valid UTF-8")
	}
	return nil
}

func checkName(argument, name string) error {
	if name == "" {
		return invalid(argument, "must not be empty")
	}
	return checkText(argument, name)
}

func checkScopes(argument string, scopes []Scope) error {
	for _, scope := range scopes {
		if err := checkText(argument, string(scope)); err != nil {
			return err
		}
	}
	return nil
}

// checkValue checks a value that is sent.
func checkValue(argument, value string) error {
	switch {
	case value == "":
		return invalid(argument, "must not be empty")
	case len(value) > MaxSecretValueSize:
		return invalid(argument, fmt.Sprintf("has %d bytes, maximum is %d", len(value), MaxSecretValueSize))
	case strings.Contains(value, redact.Placeholder):
		return invalid(argument, "contains "+redact.Placeholder+", pass the revealed secret value")
	}
	return checkText(argument, value)
}

// checkNew checks a secret to be created. prefix names it among several.
func checkNew(prefix, name, comment string, scopes []Scope) error {
	if err := checkName(prefix+"name", name); err != nil {
		return err
	}
	if err := checkText(prefix+"comment", comment); err != nil {
		return err
	}
	if len(scopes) == 0 {
		return invalid(prefix+"scopes", "must not be empty")
	}
	return checkScopes(prefix+"scopes", scopes)
}

func checkPage(page, perPage int) error {
	if page < 0 {
		return invalid("page", "must not be negative")
	}
	if perPage < 0 {
		return invalid("per_page", "must not be negative")
	}
	return nil
}
