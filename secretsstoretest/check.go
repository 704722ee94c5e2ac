package secretsstoretest

import (
	"slices"
	"strings"
)

const (
	nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	maxValueSize   = 65_536 // bytes
)

// secretFields are the fields of a write. A nil field is absent.
type secretFields struct {
	name, value *string
	scopes      *[]string
	comment     *string
}

// checkCreate checks the fields of a secret to be created.
func (f secretFields) checkCreate() error {
	switch {
	case f.name == nil || *f.name == "":
		return refusal{word: "secret_name_empty"}
	case strings.Trim(*f.name, nameCharacters) != "":
		return refusal{word: "secret_name_invalid"}
	case f.scopes == nil:
		return refusal{word: "secret_scopes_empty"}
	case f.value == nil:
		return refusal{word: "secret_value_empty"}
	}
	return f.check()
}

// check checks the fields that a patch can change.
func (f secretFields) check() error {
	if f.scopes != nil && len(*f.scopes) == 0 {
		return refusal{word: "secret_scopes_empty"}
	}
	if f.scopes != nil && slices.ContainsFunc(*f.scopes, func(s string) bool { return !knownScope(s) }) {
		return refusal{word: "secret_scope_invalid"}
	}
	if f.value != nil && *f.value == "" {
		return refusal{word: "secret_value_empty"}
	}
	if f.value != nil && len(*f.value) > maxValueSize {
		return refusal{word: "secret_value_too_long"}
	}
	return nil
}

func knownScope(s string) bool {
	switch s {
	case "workers", "ai_gateway", "dex", "access", "containers", "websearch":
		return true
	}
	return false
}

// normalize returns the scopes as the API stores them: sorted and without duplicates.
func normalize(scopes []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(scopes)))
}

// validID reports whether s can be the id of an account, a store or a secret. The API's
// own ids are 32 hexadecimal digits or UUIDs.
func validID(s string) bool {
	return s != "" && len(s) <= 36 && strings.Trim(s, nameCharacters) == ""
}
