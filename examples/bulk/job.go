package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-57d84f87/secretsstore-go"
)

// job is what a run is about, and what its journal is bound to.
type job struct {
	Account string    `json:"account"`
	Store   string    `json:"store"`
	Select  selection `json:"select"`
	Change  change    `json:"change"`
}

// resumedBy returns the job of a journal, if nothing that is asked for contradicts
// it. What is not asked for is as it was.
func (was job) resumedBy(now job) (job, error) {
	if now.Store != "" && now.Store != was.Store {
		return job{}, fmt.Errorf("it is about store %s, not %s", plain(was.Store), plain(now.Store))
	}
	if !now.Change.empty() && !reflect.DeepEqual(now.Change, was.Change) {
		return job{}, fmt.Errorf("it is about another change: %s", was.Change)
	}
	if !now.Select.empty() && !reflect.DeepEqual(now.Select.bound(), was.Select) {
		return job{}, fmt.Errorf("it is about another selection: %s", was.Select)
	}
	return was, nil
}

// selection says which secrets are meant: those that fit all that is set.
type selection struct {
	Scopes []secretsstore.Scope `json:"scopes,omitempty"`
	Name   string               `json:"name,omitempty"` // a pattern as path.Match has it
	// IDs tells lists of ids apart: a journal has the ids themselves in its plan.
	IDs string `json:"ids_sha256,omitempty"`

	ids []string
}

func (s *selection) setIDs(ids []string) {
	s.ids = ids
	sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	s.IDs = hex.EncodeToString(sum[:])
}

// bound is the part of a selection that a journal has.
func (s selection) bound() selection {
	s.ids = nil
	return s
}

func (s selection) empty() bool { return len(s.Scopes) == 0 && s.Name == "" && s.IDs == "" }

func (s selection) check() error {
	if _, err := path.Match(s.Name, ""); err != nil {
		return fmt.Errorf("-name %q: %w", s.Name, err)
	}
	return nil
}

func (s selection) String() string {
	var parts []string
	if len(s.Scopes) > 0 {
		parts = append(parts, "scope "+join(s.Scopes))
	}
	if s.Name != "" {
		parts = append(parts, fmt.Sprintf("name %q", s.Name))
	}
	if s.IDs != "" {
		parts = append(parts, "a file of ids")
	}
	return strings.Join(parts, ", ")
}

// from returns what is selected of the secrets of a store, and the listed ids that
// it does not have, by id.
func (s selection) from(seen *snapshot) ([]planned, error) {
	var selected []planned
	listed := make(map[string]bool, len(s.ids))
	for _, id := range s.ids {
		listed[id] = true
		if seen.secrets[id] == nil {
			selected = append(selected, planned{ID: id})
		}
	}
	for id, secret := range seen.secrets {
		if s.IDs != "" && !listed[id] {
			continue
		}
		if fits, _ := path.Match(s.Name, secret.Name); s.Name != "" && !fits {
			continue
		}
		if len(s.Scopes) > 0 && secret.Scopes == nil {
			return nil, fmt.Errorf("-scope: the API did not say which scopes secret %s has", plain(id))
		}
		if hasAll(secret.Scopes, s.Scopes) {
			selected = append(selected, planned{ID: id, Name: secret.Name})
		}
	}
	return selected, nil
}

func hasAll(scopes, wanted []secretsstore.Scope) bool {
	return !slices.ContainsFunc(wanted, func(scope secretsstore.Scope) bool { return !slices.Contains(scopes, scope) })
}

// readIDs reads a file of ids and returns them sorted, each once.
func readIDs(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var ids []string
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line = strings.TrimSpace(line)
		if strings.ContainsAny(line, " \t,;") {
			return nil, fmt.Errorf("%s:%d: %q is more than one id", name, n, line)
		}
		if line != "" {
			ids = append(ids, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s has no id", name)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// change is what is to be done to each secret. Its lists are sorted.
type change struct {
	Add     []secretsstore.Scope `json:"add_scopes,omitempty"`
	Remove  []secretsstore.Scope `json:"remove_scopes,omitempty"`
	Set     []secretsstore.Scope `json:"set_scopes,omitempty"`
	Comment *string              `json:"comment,omitempty"`
}

func (c change) empty() bool {
	return len(c.Add) == 0 && len(c.Remove) == 0 && len(c.Set) == 0 && c.Comment == nil
}

func (c change) check() error {
	if len(c.Set) > 0 && (len(c.Add) > 0 || len(c.Remove) > 0) {
		return errors.New("-set-scopes leaves nothing to -add-scope and -remove-scope")
	}
	for _, scope := range c.Add {
		if slices.Contains(c.Remove, scope) {
			return fmt.Errorf("scope %q is both added and removed", scope)
		}
	}
	// Each patch would be refused.
	if c.Comment != nil && !utf8.ValidString(*c.Comment) {
		return errors.New("-comment is not UTF-8")
	}
	return nil
}

// relative says whether the new scopes depend on the old ones.
func (c change) relative() bool { return len(c.Add) > 0 || len(c.Remove) > 0 }

func (c change) String() string {
	var parts []string
	for _, part := range []struct {
		what   string
		scopes []secretsstore.Scope
	}{{"add scope", c.Add}, {"remove scope", c.Remove}, {"set scopes", c.Set}} {
		if len(part.scopes) > 0 {
			parts = append(parts, part.what+" "+join(part.scopes))
		}
	}
	if c.Comment != nil {
		parts = append(parts, fmt.Sprintf("comment %q", *c.Comment))
	}
	return strings.Join(parts, ", ")
}

// patch returns what has to be sent for a secret to be as the change has it; ok is
// false if it is so already. Only what differs is sent, so that no more than that
// of what others do to the secret can be undone.
func (c change) patch(secret *secretsstore.Secret) (p secretsstore.SecretPatch, ok bool, err error) {
	if c.relative() && secret.Scopes == nil {
		return p, false, errors.New("the API did not say which scopes it has")
	}
	if len(c.Set) > 0 || c.relative() {
		scopes := c.scopes(secret.Scopes)
		switch {
		case len(scopes) == 0 && len(secret.Scopes) > 0:
			return p, false, errors.New("it would be left without scopes, which the API refuses")
		case secret.Scopes == nil || !slices.Equal(scopes, sorted(secret.Scopes)):
			p.Scopes = scopes
		}
	}
	if c.Comment != nil && *c.Comment != secret.Comment {
		p.Comment = c.Comment
	}
	return p, p.Scopes != nil || p.Comment != nil, nil
}

func (c change) scopes(old []secretsstore.Scope) []secretsstore.Scope {
	if len(c.Set) > 0 {
		return c.Set
	}
	scopes := sorted(append(slices.Clip(old), c.Add...))
	return slices.DeleteFunc(scopes, func(scope secretsstore.Scope) bool { return slices.Contains(c.Remove, scope) })
}

// unknown returns the scopes of a change that were not there when the SDK was
// written. They may be new, or mistyped.
func (c change) unknown() []secretsstore.Scope {
	known := []secretsstore.Scope{
		secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway, secretsstore.ScopeDEX,
		secretsstore.ScopeAccess, secretsstore.ScopeContainers, secretsstore.ScopeWebsearch,
	}
	return slices.DeleteFunc(slices.Concat(c.Add, c.Set), func(scope secretsstore.Scope) bool { return slices.Contains(known, scope) })
}

// sorted returns a list of scopes in order, each once.
func sorted(scopes []secretsstore.Scope) []secretsstore.Scope {
	scopes = slices.Clone(scopes)
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

func join(scopes []secretsstore.Scope) string {
	parts := make([]string, len(scopes))
	for i, scope := range scopes {
		parts[i] = plain(string(scope))
	}
	return strings.Join(parts, ",")
}
