package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// The minimal programs, by their directories in testdata/minimal.
const (
	bare              = "bare"
	ours              = "ours"
	cloudflarePackage = "cloudflarepackage"
	cloudflareAll     = "cloudflare"
)

// built is what one cold build of a program took.
type built struct {
	wall, cpu time.Duration
	memory    int64 // bytes of the largest process; 0 is not known
	size      int64 // bytes of the program
}

// buildPrograms builds the two programs that a bound is about so many times, in
// turns, and cloudflare-go's once: they are far from the others, and slow.
func buildPrograms(ctx context.Context, module, temp string, rounds int, skipSlow bool) ([]map[string]built, error) {
	builds := make([]map[string]built, rounds)
	for round := range rounds {
		programs := []string{bare, ours}
		if round%2 == 1 {
			slices.Reverse(programs)
		}
		if round == rounds-1 {
			programs = append(programs, cloudflarePackage)
			if !skipSlow {
				programs = append(programs, cloudflareAll)
			}
		}
		builds[round] = map[string]built{}
		for _, name := range programs {
			progress("building %s cold, %d of %d", name, round+1, rounds)
			b, err := buildCold(ctx, module, temp, name)
			if err != nil {
				return nil, err
			}
			builds[round][name] = b
		}
	}
	return builds, nil
}

// buildCold builds a program with nothing compiled before, the standard library
// included. The modules' sources have to be there already: no download is timed.
func buildCold(ctx context.Context, module, temp, name string) (b built, err error) {
	cache, err := os.MkdirTemp(temp, name+"-")
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(cache)) }()
	program := filepath.Join(cache, "program")
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", program, "./report/testdata/minimal/"+name)
	cmd.Dir = module
	// Without cgo, so that what is compared does not hang on the machine's C compiler.
	cmd.Env = append(os.Environ(), "GOCACHE="+cache, "GOFLAGS=-trimpath -buildvcs=false", "GOEXPERIMENT=", "GOPROXY=off", "CGO_ENABLED=0")
	began := time.Now()
	if _, err := output(cmd); err != nil {
		return b, fmt.Errorf("building %s: %w", name, err)
	}
	b.wall = time.Since(began)
	info, err := os.Stat(program)
	if err != nil {
		return b, err
	}
	state := cmd.ProcessState
	b.cpu, b.memory, b.size = state.UserTime()+state.SystemTime(), peakMemory(state), info.Size()
	return b, nil
}
