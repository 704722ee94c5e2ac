package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-57d84f87/secretsstore-go"
)

// A result is what became of a change.
type result string

const (
	resultNone    result = "" // not reached
	resultDone    result = "done"
	resultFailed  result = "failed"
	resultUnknown result = "unknown" // it may have been applied
)

// A change is a secret to be created or patched, and what became of that.
type change struct {
	Action     string `json:"action"` // create or patch
	ID         string `json:"id,omitempty"`
	Name       string `json:"name"`
	Difference string `json:"difference"`
	Result     result `json:"result,omitempty"`
	Error      string `json:"error,omitempty"`

	err   error
	patch secretsstore.SecretPatch
	// plan, if not nil, returns the patch for a newer state of the secret.
	plan func(*secretsstore.Secret) (secretsstore.SecretPatch, error)
	file *fileSecret // of sync, if its value is to be written
}

func (c *change) finish(err error) {
	switch {
	case err == nil:
		c.Result = resultDone
		return
	case errors.Is(err, secretsstore.ErrOutcomeUnknown):
		c.Result = resultUnknown
	default:
		c.Result = resultFailed
	}
	c.err, c.Error = err, withoutPrefix(err)
}

// withoutPrefix returns the text of an error that is part of another.
func withoutPrefix(err error) string { return strings.TrimPrefix(err.Error(), "secretsstore: ") }

// difference describes what a patch without a value changes in a secret.
func difference(secret *secretsstore.Secret, patch secretsstore.SecretPatch) string {
	var parts []string
	if patch.Scopes != nil {
		parts = append(parts, fmt.Sprintf("scopes %s → %s", cmp.Or(joinScopes(secret.Scopes), "-"), joinScopes(patch.Scopes)))
	}
	if patch.Comment != nil {
		parts = append(parts, fmt.Sprintf("comment %q → %q", secret.Comment, *patch.Comment))
	}
	return strings.Join(parts, "; ")
}

func isPatchEmpty(p secretsstore.SecretPatch) bool {
	return p.Scopes == nil && p.Comment == nil && p.Value.IsZero()
}

// newScopes returns scopes, sorted and without duplicates, or nil if the secret has them.
func newScopes(secret *secretsstore.Secret, scopes []secretsstore.Scope) []secretsstore.Scope {
	scopes = slices.Compact(slices.Sorted(slices.Values(scopes)))
	if joinScopes(scopes) == joinScopes(secret.Scopes) {
		return nil
	}
	return scopes
}

// maxShown is how many changes are printed. With --output json all of them are.
const maxShown = 20

// printPlan prints changes before they are applied.
func (a *app) printPlan(store string, changes []*change, summary string) {
	w := a.text()
	fmt.Fprintf(w, "Store %s: %s\n", plain(store), summary)
	var rows [][]string
	for _, c := range changes[:min(maxShown, len(changes))] {
		rows = append(rows, []string{"  " + c.Action, c.Name, c.Difference})
	}
	_ = printTable(w, rows)
	if more := len(changes) - maxShown; more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
}

// printChanges prints the JSON output of bulk and sync.
func (a *app) printChanges(store string, changes []*change, unchanged int) error {
	return encodeJSON(a.stdout, map[string]any{"store": store, "unchanged": unchanged, "changes": append([]*change{}, changes...)})
}

// summarize prints what became of changes, and returns an error unless all were applied.
// cause is why not all changes were reached.
func (a *app) summarize(store string, changes []*change, unchanged int, cause error) error {
	n, w := map[result]int{}, a.text()
	for _, c := range changes {
		n[c.Result]++
		if c.Error != "" && n[resultFailed]+n[resultUnknown] <= maxShown {
			fmt.Fprintf(w, "%s: %s: %s\n", c.Result, plain(c.Name), plain(c.Error))
		}
	}
	fmt.Fprintf(w, "%d of %d done, %d failed, %d unknown, %d not reached\n", n[resultDone], len(changes), n[resultFailed], n[resultUnknown], n[resultNone])
	if a.output == formatJSON {
		if err := a.printChanges(store, changes, unchanged); err != nil {
			return err
		}
	}
	switch {
	case errors.Is(cause, errInterrupted):
		return errInterrupted
	case n[resultDone] == len(changes):
		return nil
	case cause == nil:
		cause = errors.New("run it again to go on")
	}
	if n[resultUnknown] > 0 {
		return &statusError{exitUnknown, fmt.Errorf("the outcome of %d changes is unknown: %s", n[resultUnknown], withoutPrefix(cause))}
	}
	if n[resultDone] > 0 {
		return &statusError{exitPartly, fmt.Errorf("partly done: %s", withoutPrefix(cause))}
	}
	status := exitFailed
	if slices.ContainsFunc(changes, func(c *change) bool { return errors.Is(c.err, secretsstore.ErrUnauthorized) }) {
		status = exitUsage
	}
	return &statusError{status, fmt.Errorf("nothing was changed: %s", withoutPrefix(cause))}
}
