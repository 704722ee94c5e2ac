// Command promises shows that each promise of SECURITY.md is held by the tests it
// names: it takes away the code that keeps the promise, in a copy, and the test
// must fail.
//
//	go run ./promises [-v] [-p n] [-test regexp]
//
// It exits with 1 where a test does not notice, where SECURITY.md and the table
// name different promises or tests, and where the table no longer fits the code.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

const module = "github.com/seed-57d84f87/secretsstore-go"

func main() {
	only := flag.String("test", "", "run the tests whose names match this `regexp`, and no others")
	verbose := flag.Bool("v", false, "print each mutation, and not only the promises")
	parallel := flag.Int("p", 2, "run so many mutations at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	held, err := run(ctx, *only, *verbose, max(1, *parallel))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "promises:", err)
	}
	if !held || err != nil {
		os.Exit(1)
	}
}

// run says whether all promises are held, of those with a test that matches only.
func run(ctx context.Context, only string, verbose bool, parallel int) (held bool, err error) {
	matching, err := regexp.Compile(only)
	if err != nil {
		return false, err
	}
	// The module replaces its parent by the folder that it lies in.
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return false, fmt.Errorf("looking for the module %s: %w", module, err)
	}
	tree := tree{root: string(bytes.TrimSpace(out))}
	if tree.temp, err = os.MkdirTemp("", "promises"); err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(tree.temp) }()

	policy, err := os.ReadFile(filepath.Join(tree.root, "SECURITY.md"))
	if err != nil {
		return false, err
	}
	if err := compare(string(policy), promises); err != nil {
		return false, err
	}
	chosen := map[string][]string{} // tests of a package
	for _, p := range promises {
		for _, m := range p.mutations {
			if _, err := tree.mutate(m); err != nil {
				return false, fmt.Errorf("%s: %s: %w", m.test, m.reason, err)
			}
			if matching.MatchString(m.test) && !slices.Contains(chosen[m.pkg], m.test) {
				chosen[m.pkg] = append(chosen[m.pkg], m.test)
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(chosen)) {
		if err := tree.passes(ctx, pkg, chosen[pkg]); err != nil {
			return false, err
		}
	}
	var trials []*trial
	perPromise := make([][]*trial, len(promises))
	for i, p := range promises {
		for _, m := range p.mutations {
			if matching.MatchString(m.test) {
				perPromise[i] = append(perPromise[i], &trial{mutation: m, done: make(chan struct{})})
			}
		}
		trials = append(trials, perPromise[i]...)
	}
	todo := make(chan *trial)
	for range parallel {
		go func() {
			for trial := range todo {
				trial.end, trial.err = tree.run(ctx, trial.mutation)
				close(trial.done)
			}
		}()
	}
	go func() {
		defer close(todo)
		for _, trial := range trials {
			todo <- trial
		}
	}()
	held = true
	for i, p := range promises {
		if len(perPromise[i]) > 0 && !judge(p.says, perPromise[i], verbose) {
			held = false
		}
	}
	return held, ctx.Err()
}

// trial is a mutation, and what came of it when it is done.
type trial struct {
	mutation
	done chan struct{}
	end  outcome
	err  error
}

// judge waits for the trials of a promise, prints what came of them, and says
// whether the promise is held.
func judge(says string, trials []*trial, verbose bool) bool {
	verdict, hung := "caught", 0
	var details strings.Builder
	for _, trial := range trials {
		<-trial.done
		caught := true
		switch {
		case trial.err != nil:
			caught = false
			fmt.Fprintf(&details, "    %-10s  %s: %s: %v\n", "ERROR", trial.test, trial.reason, trial.err)
		case trial.end == passed:
			caught = false
			fallthrough
		case verbose:
			fmt.Fprintf(&details, "    %-10s  %s: %s\n", trial.end, trial.test, trial.reason)
		}
		if trial.end == stuck {
			hung++
		}
		if !caught {
			verdict = "NOT CAUGHT"
		}
	}
	count := fmt.Sprint(len(trials))
	if hung > 0 {
		count += fmt.Sprintf(", of which %d hung", hung)
	}
	fmt.Printf("%-10s  %s (%s)\n%s", verdict, says, count, details.String())
	return verdict == "caught"
}

// A row of a table, with the promise and the tests that hold it.
var (
	row  = regexp.MustCompile(`(?m)^\| (.+?) \| (.+?) \|$`)
	name = regexp.MustCompile("`((?:Test|Fuzz)\\w*)`")
)

// compare says where SECURITY.md and the table name different things.
func compare(policy string, promises []promise) error {
	stated := map[[2]string]bool{}
	for _, cells := range row.FindAllStringSubmatch(policy, -1) {
		if cells[2] == "held by" {
			continue
		}
		tests := name.FindAllStringSubmatch(cells[2], -1)
		if tests == nil {
			return fmt.Errorf("SECURITY.md names no test for %q", cells[1])
		}
		for _, test := range tests {
			stated[[2]string{cells[1], test[1]}] = true
		}
	}
	if len(stated) == 0 {
		return fmt.Errorf("SECURITY.md has no promises")
	}
	known := map[[2]string]bool{}
	for _, p := range promises {
		for _, m := range p.mutations {
			known[[2]string{p.says, m.test}] = true
		}
	}
	var differences []string
	for pair := range stated {
		if !known[pair] {
			differences = append(differences, fmt.Sprintf("no mutation for %s: %q", pair[1], pair[0]))
		}
	}
	for pair := range known {
		if !stated[pair] {
			differences = append(differences, fmt.Sprintf("SECURITY.md does not name %s: %q", pair[1], pair[0]))
		}
	}
	if len(differences) == 0 {
		return nil
	}
	slices.Sort(differences)
	return fmt.Errorf("%s", strings.Join(differences, "\n"))
}
