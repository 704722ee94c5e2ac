package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

// snapshot is what a store had when it was looked at.
type snapshot struct {
	secrets map[string]*secretsstore.Secret // by id
	read    time.Time                       // before the first of them was
}

func look(ctx context.Context, client *secretsstore.Client, store string) (*snapshot, error) {
	seen := &snapshot{secrets: map[string]*secretsstore.Secret{}, read: time.Now()}
	// The oldest first: what others add meanwhile comes last and moves nothing.
	oldestFirst := &secretsstore.SecretListOptions{Order: secretsstore.OrderCreated, Direction: secretsstore.Ascending}
	for secret, err := range client.Secrets.All(ctx, store, oldestFirst) {
		if err != nil {
			return nil, err
		}
		if secret.Status != secretsstore.SecretStatusDeleted {
			seen.secrets[secret.ID] = secret
		}
	}
	return seen, nil
}

// planned is a secret that is to be changed. Name is "" where only the id is known.
type planned struct{ ID, Name string }

// plan is what is to be done to the secrets of a store.
type plan struct {
	job        job
	inStore    int
	read       time.Time // when what is planned on was read
	items      []item    // to be patched
	unchanged  []planned // as they should be already
	impossible []problem
}

// item is a secret to be patched.
type item struct {
	planned
	before *secretsstore.Secret
	patch  secretsstore.SecretPatch
}

// problem is a secret that can't be patched, or was not.
type problem struct {
	planned
	err error
}

var errMissing = errors.New("the store does not list it")

func newPlan(j job, seen *snapshot, selected []planned) *plan {
	p := &plan{job: j, inStore: len(seen.secrets), read: seen.read}
	slices.SortFunc(selected, func(a, b planned) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	for _, s := range selected {
		secret := seen.secrets[s.ID]
		if secret == nil {
			p.impossible = append(p.impossible, problem{s, errMissing})
			continue
		}
		patch, ok, err := j.Change.patch(secret)
		switch {
		case err != nil:
			p.impossible = append(p.impossible, problem{s, err})
		case ok:
			p.items = append(p.items, item{s, secret, patch})
		default:
			p.unchanged = append(p.unchanged, s)
		}
	}
	return p
}

// all returns every secret that was selected.
func (p *plan) all() []planned {
	all := slices.Clone(p.unchanged)
	for _, it := range p.items {
		all = append(all, it.planned)
	}
	for _, bad := range p.impossible {
		all = append(all, bad.planned)
	}
	return all
}

// shown is how many lines of a kind a plan shows.
const shown = 10

func (p *plan) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "\nStore:\t%s, %d secrets\n", plain(p.job.Store), p.inStore)
	fmt.Fprintf(w, "Selected:\t%d, by %s\n", len(p.items)+len(p.unchanged)+len(p.impossible), p.job.Select)
	fmt.Fprintf(w, "Change:\t%s\n", p.job.Change)
	fmt.Fprintf(w, "To patch:\t%d\n", len(p.items))
	fmt.Fprintf(w, "Unchanged:\t%d, skipped\n", len(p.unchanged))
	if len(p.impossible) > 0 {
		fmt.Fprintf(w, "Impossible:\t%d\n", len(p.impossible))
	}
	if unknown := p.job.Change.unknown(); len(unknown) > 0 {
		fmt.Fprintf(w, "Note:\tscope %s is new to this program, or mistyped\n", join(unknown))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(p.items) > 0 {
		fmt.Fprintln(out)
	}
	for _, it := range p.items[:min(shown, len(p.items))] {
		fmt.Fprintf(w, "  %s\t%s\n", plain(it.Name), it.difference())
	}
	andMore(w, len(p.items)-shown)
	if len(p.impossible) > 0 {
		fmt.Fprintln(w, "\nImpossible:")
		printProblems(w, p.impossible, shown)
	}
	fmt.Fprintln(w)
	return w.Flush()
}

func (it item) difference() string {
	var parts []string
	if it.patch.Scopes != nil {
		parts = append(parts, fmt.Sprintf("scopes %s → %s", cmp.Or(join(it.before.Scopes), "-"), join(it.patch.Scopes)))
	}
	if it.patch.Comment != nil {
		parts = append(parts, fmt.Sprintf("comment %s → %s", quoted(it.before.Comment), quoted(*it.patch.Comment)))
	}
	return strings.Join(parts, ", ")
}

func printProblems(w io.Writer, problems []problem, most int) {
	for _, bad := range problems[:min(most, len(problems))] {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", plain(bad.ID), plain(cmp.Or(bad.Name, "-")), plain(bad.err.Error()))
	}
	andMore(w, len(problems)-most)
}

func andMore(w io.Writer, n int) {
	if n > 0 {
		fmt.Fprintf(w, "  and %d more\n", n)
	}
}

// plain keeps what a server or a file said from steering the terminal.
func plain(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// quoted is the start of a comment.
func quoted(comment string) string {
	const most = 40
	if runes := []rune(comment); len(runes) > most {
		return strconv.Quote(string(runes[:most])) + "…"
	}
	return strconv.Quote(comment)
}
