package secretsstore

import "unicode/utf8"

// The longest id that the API's definition allows, and the bytes that a value can
// have.
const (
	maxID    = 32
	maxValue = 65_536
)

// checkID refuses what can't be an id, before it becomes part of a path.
func checkID(name, id string) error {
	if id == "" {
		return invalid("%s is empty", name)
	}
	if len(id) > maxID {
		return invalid("%s has %d characters: an id has at most %d", name, len(id), maxID)
	}
	for i := 0; i < len(id); i++ {
		if !isNameByte(id[i]) {
			return invalid(`%s has %q: an id has letters, digits, "-" and "_"`, name, id[i])
		}
	}
	return nil
}

// isNameByte says whether ids and names of secrets may have b.
func isNameByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_'
}

func checkNew(where, name, comment string, scopes []Scope) error {
	if name == "" {
		return invalid("%sname is empty", where)
	}
	for i := 0; i < len(name); i++ {
		if !isNameByte(name[i]) {
			return invalid(`%sname %q: a secret's name has letters, digits, "_" and "-"`, where, start(name, 64))
		}
	}
	if err := checkText(where+"comment", comment); err != nil {
		return err
	}
	if len(scopes) == 0 {
		return invalid("%sscopes is empty", where)
	}
	return checkScopes(where, scopes)
}

// checkText refuses what JSON would change in silence.
func checkText(what, s string) error {
	if !utf8.ValidString(s) {
		return invalid("%s is not UTF-8", what)
	}
	return nil
}

func checkScopes(where string, scopes []Scope) error {
	for _, scope := range scopes {
		if scope == "" {
			return invalid("%sscopes has an empty scope", where)
		}
		if err := checkText(where+"scopes", string(scope)); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(where string, v *SecretValue) error {
	text := v.Reveal()
	switch {
	case text == "":
		return invalid("%svalue is empty", where)
	case len(text) > maxValue:
		return invalid("%svalue has %d bytes: the API takes at most %d", where, len(text), maxValue)
	case text == redacted:
		return invalid("%svalue is %s, the word that stands for a value in what is printed", where, redacted)
	}
	return checkText(where+"value", text)
}

func checkStoreName(name string) error {
	if name == "" {
		return invalid("name is empty")
	}
	return checkText("name", name)
}
