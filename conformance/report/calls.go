package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/measure"
)

// calls are the figures of the runs: of today's encoding/json, and of the next one.
type calls struct{ today, next [][]measure.Figure }

// measureCalls runs both builds in turns, so that a machine that gets slower does not
// decide which of them looks better.
func measureCalls(ctx context.Context, module, temp string, runs, batches int) (c calls, err error) {
	sides := []struct {
		experiment string
		runs       *[][]measure.Figure
		program    string
	}{{"", &c.today, ""}, {"jsonv2", &c.next, ""}}
	for i := range sides {
		s := &sides[i]
		s.program = filepath.Join(temp, "measure"+s.experiment)
		progress("building measure, GOEXPERIMENT=%q", s.experiment)
		build := exec.CommandContext(ctx, "go", "build", "-o", s.program, "./measure")
		build.Dir = module
		build.Env = append(os.Environ(), "GOEXPERIMENT="+s.experiment)
		if _, err := output(build); err != nil {
			return c, fmt.Errorf("GOEXPERIMENT=%q: %w", s.experiment, err)
		}
	}
	for run := range runs {
		for i := range sides {
			s := sides[(i+run)%len(sides)]
			progress("measuring calls, run %d of %d, GOEXPERIMENT=%q", run+1, runs, s.experiment)
			out, err := output(exec.CommandContext(ctx, s.program, "-rounds", strconv.Itoa(batches)))
			if err != nil {
				return c, err
			}
			var figures []measure.Figure
			if err := json.Unmarshal(out, &figures); err != nil {
				return c, fmt.Errorf("reading what measure wrote: %w", err)
			}
			*s.runs = append(*s.runs, figures)
		}
	}
	return c, nil
}
