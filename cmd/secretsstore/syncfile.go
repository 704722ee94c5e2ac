package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	goyaml "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"

	"github.com/seed-57d84f87/secretsstore-go"
)

// A storeFile is what a store should have.
type storeFile struct {
	Store   string       `json:"store"`
	Secrets []fileSecret `json:"secrets"`
}

// A fileSecret is a secret of a storeFile.
type fileSecret struct {
	Name      string               `json:"name"`
	Comment   *string              `json:"comment"` // nil: any
	Scopes    []secretsstore.Scope `json:"scopes"`
	ValueFrom string               `json:"value_from"` // "" if the secret must exist

	source source
}

// readStoreFile reads a YAML or JSON file. Unknown and repeated keys are errors. No error
// quotes the file, which can hold a value by mistake.
func readStoreFile(a *app, name string) (*storeFile, error) {
	b, err := a.readFile(name)
	if err != nil {
		return nil, err
	}
	f := new(storeFile)
	documents := countDocuments(b)
	if err = yaml.UnmarshalStrict(b, f); documents > 1 {
		err = errors.New("the file has more than one document")
	} else if err != nil {
		err = fileError(err)
	} else {
		err = f.check()
	}
	if err != nil {
		return nil, usageError("%s: %w", name, err)
	}
	return f, nil
}

// countDocuments returns the number of documents in a file, up to an error.
func countDocuments(b []byte) (n int) {
	decoder := goyaml.NewDecoder(bytes.NewReader(b))
	for decoder.Decode(new(any)) == nil {
		n++
	}
	return n
}

var (
	unknownField = regexp.MustCompile(`unknown field "[a-z_]+"`)
	wrongType    = regexp.MustCompile(`cannot unmarshal (\w+) into Go struct field \w+\.([\w.]+) of type`)
	lineNumber   = regexp.MustCompile(`line \d+`)
)

// fileError returns what is wrong with a file. The errors of the decoders quote it.
func fileError(err error) error {
	text := err.Error()
	if field := unknownField.FindString(text); field != "" {
		return errors.New(field)
	}
	if m := wrongType.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s must not be a %s", m[2], m[1])
	}
	if line := lineNumber.FindString(text); line != "" {
		return errors.New("invalid YAML at " + line)
	}
	return errors.New("invalid YAML")
}

func (f *storeFile) check() (err error) {
	names := map[string]bool{}
	for i := range f.Secrets {
		s := &f.Secrets[i]
		switch {
		case s.Name == "":
			return fmt.Errorf("secret %d has no name", i+1)
		case names[s.Name]:
			return fmt.Errorf("secret %s is listed twice", plain(s.Name))
		case len(s.Scopes) == 0:
			return fmt.Errorf("secret %s has no scopes", plain(s.Name))
		}
		names[s.Name] = true
		if s.ValueFrom != "" {
			if s.source, err = parseSource(s.ValueFrom); err != nil || s.source.kind == "-" {
				return fmt.Errorf("secret %s: value_from must be file:PATH, env:NAME, random:BYTES or cmd:COMMAND", plain(s.Name))
			}
		}
	}
	return nil
}
