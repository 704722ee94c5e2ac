package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// promise is a row of SECURITY.md.
type promise struct {
	says      string
	mutations []mutation
}

// mutation takes away what keeps a promise; the test must fail then.
type mutation struct {
	test   string
	pkg    string // of the test, from the root; "": the root
	reason string // what is taken away
	edits  []edit
}

// edit replaces a text that is in the file exactly once.
type edit struct{ file, old, new string }

// outcome is what became of a test.
type outcome string

const (
	passed   outcome = "NOT CAUGHT"
	failed   outcome = "failed"
	panicked outcome = "panicked"
	stuck    outcome = "hung"
)

// tree is the work tree, which stays as it is: what is changed lies in temp.
type tree struct{ root, temp string }

// mutate returns the changed files of a mutation, by their paths.
func (t tree) mutate(m mutation) (map[string]string, error) {
	changed := map[string]string{}
	if len(m.edits) == 0 {
		return nil, errors.New("the mutation changes nothing")
	}
	for _, e := range m.edits {
		path := filepath.Join(t.root, e.file)
		if strings.HasSuffix(e.file, "_test.go") || e.old == e.new {
			return nil, fmt.Errorf("%s: no change of the code under test", e.file)
		}
		text, ok := changed[path]
		if !ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			text = string(b)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("%s has this %d times, and not once:\n%s", e.file, n, e.old)
		}
		changed[path] = strings.Replace(text, e.old, e.new, 1)
	}
	return changed, nil
}

// run says what becomes of the mutation's test.
func (t tree) run(ctx context.Context, m mutation) (outcome, error) {
	changed, err := t.mutate(m)
	if err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(t.temp, "")
	if err != nil {
		return "", err
	}
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for path, text := range changed {
		copied := filepath.Join(temp, fmt.Sprintf("%d.go", len(overlay.Replace)))
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			return "", err
		}
		overlay.Replace[path] = copied
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	file := filepath.Join(temp, "overlay.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return "", err
	}
	report, err := t.test(ctx, m.pkg, m.test, "-failfast", "-overlay", file)
	if err != nil {
		return "", err
	}
	return report.of(m.test)
}

// passes says whether tests pass while nothing is taken away: that one of them
// fails means something only then.
func (t tree) passes(ctx context.Context, pkg string, tests []string) error {
	report, err := t.test(ctx, pkg, strings.Join(tests, "|"))
	if err != nil {
		return err
	}
	for _, test := range tests {
		switch end, err := report.of(test); {
		case err != nil:
			return fmt.Errorf("%s, as the code is: %w", test, err)
		case end != passed:
			return fmt.Errorf("%s fails as the code is:\n%s", test, report.output)
		}
	}
	return nil
}

// report is what go test said.
type report struct {
	started, ended map[string]string // the last word on a test, by its name
	notBuilt       bool
	output         string
}

// test runs the tests that match pattern.
func (t tree) test(ctx context.Context, pkg, pattern string, flags ...string) (*report, error) {
	// go test ends what hangs by itself; this is for a build that does.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	args := append([]string{"test", "-json", "-count=1", "-vet=off", "-timeout=60s", "-run", "^(" + pattern + ")$"}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+pkg)...)
	cmd.Dir = t.root
	out, runErr := cmd.Output()
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if runErr != nil && !errors.As(runErr, &exit) {
		return nil, runErr
	}
	r := &report{started: map[string]string{}, ended: map[string]string{}}
	var text strings.Builder
	lines := bufio.NewReader(bytes.NewReader(out))
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var event struct{ Action, Test, Output, FailedBuild string }
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("go test said %q", line)
		}
		text.WriteString(event.Output)
		switch event.Action {
		case "build-fail":
			r.notBuilt = true
		case "run":
			r.started[event.Test] = event.Action
		case "pass", "fail", "skip":
			r.ended[event.Test] = event.Action
		}
		r.notBuilt = r.notBuilt || event.FailedBuild != ""
	}
	r.output = text.String()
	if exit != nil && len(out) == 0 {
		return nil, fmt.Errorf("go test: %s", exit.Stderr)
	}
	return r, nil
}

// of says what became of a test. A test that never ended took the process with it.
func (r *report) of(test string) (outcome, error) {
	end, started := r.ended[test], r.started[test] != ""
	switch {
	case r.notBuilt:
		return "", fmt.Errorf("it does not compile:\n%s", r.output)
	case !started:
		return "", fmt.Errorf("the test did not run:\n%s", r.output)
	case end == "pass":
		return passed, nil
	case end == "skip":
		return "", errors.New("the test is skipped")
	case strings.Contains(r.output, "panic: test timed out after"), strings.Contains(r.output, "panic: deadlock:"):
		return stuck, nil
	case strings.Contains(r.output, "panic: "), strings.Contains(r.output, "fatal error: "):
		return panicked, nil
	case end == "fail":
		return failed, nil
	}
	return "", fmt.Errorf("the test neither passed nor failed:\n%s", r.output)
}
