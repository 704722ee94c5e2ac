// Command report measures what the client costs beside cloudflare-go and beside the
// same calls written by hand, and writes docs/performance.md and its chart.
//
//	cd conformance && go run ./report
//
// All it calls is on loopback. It takes some minutes, and a machine with nothing else
// to do: the figures are ratios, but a busy machine does not disturb both sides alike.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

type options struct {
	runs, batches, builds int
	skipBuilds, skipSlow  bool
	out                   string
}

func main() {
	var o options
	flag.IntVar(&o.runs, "runs", 5, "how often the calls are measured, with each encoding/json")
	flag.IntVar(&o.batches, "batches", 101, "how many batches of calls each client makes in a run")
	flag.IntVar(&o.builds, "builds", 3, "how often the minimal programs that a bound is about are built")
	flag.BoolVar(&o.skipBuilds, "skip-builds", false, "build no minimal programs")
	flag.BoolVar(&o.skipSlow, "skip-slow", false, "leave out the program that imports all of cloudflare-go, whose build takes minutes")
	flag.StringVar(&o.out, "out", "", "directory to write to (default the repository's docs)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := o.check()
	if err == nil {
		err = report(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func (o options) check() error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("there are no arguments, but %q was given", flag.Args())
	case o.runs < 1 || o.batches < 1 || o.builds < 1:
		return errors.New("-runs, -batches and -builds must be at least 1")
	}
	return nil
}

func report(ctx context.Context, o options) (err error) {
	module, err := moduleDir(ctx)
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out = filepath.Join(module, "..", "docs")
	}
	if info, err := os.Stat(o.out); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no directory %s to write to", o.out)
	}
	temp, err := os.MkdirTemp("", "secretsstore-report-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()

	r := results{
		date: time.Now().UTC(), goVersion: runtime.Version(), platform: runtime.GOOS + "/" + runtime.GOARCH,
		cpus: runtime.NumCPU(), cloudflareGo: dependency("github.com/cloudflare/cloudflare-go/v7"),
	}
	if r.calls, err = measureCalls(ctx, module, temp, o.runs, o.batches); err != nil {
		return err
	}
	if !o.skipBuilds {
		if r.builds, err = buildPrograms(ctx, module, temp, o.builds, o.skipSlow); err != nil {
			return err
		}
	}
	lines := compare(r.calls, r.builds)
	chart, err := drawChart(lines)
	if err != nil {
		return fmt.Errorf("drawing the chart: %w", err)
	}
	for name, content := range map[string][]byte{chartName: chart, "performance.md": []byte(document(r, lines))} {
		if err := os.WriteFile(filepath.Join(o.out, name), content, 0o644); err != nil {
			return err
		}
	}
	for _, l := range missed(lines) {
		progress("missed: %s", l)
	}
	return nil
}

// moduleDir is where the module is whose packages are built.
func moduleDir(ctx context.Context) (string, error) {
	out, err := output(exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}"))
	if err != nil {
		return "", err
	}
	path, dir, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if !strings.HasSuffix(path, "/conformance") {
		return "", fmt.Errorf("it runs in the module conformance, not in %s", path)
	}
	return dir, nil
}

func dependency(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of an unknown version"
	}
	for _, dep := range info.Deps {
		if dep.Path == path {
			return dep.Version
		}
	}
	return "of an unknown version"
}

// output runs a command; what it complains of becomes the error.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// Killed, the go command would leave the compilers that it started.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "report: "+format+"\n", args...)
}
