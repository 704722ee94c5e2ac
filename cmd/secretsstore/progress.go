package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
)

// A progress shows how many of a number of steps are done: with a bar on a terminal,
// otherwise with a line every 30 seconds. It is safe for concurrent use.
type progress struct {
	done atomic.Int64
	bar  *progressbar.ProgressBar // nil: lines
	end  func()
}

func (a *app) newProgress(total int) *progress {
	p, every := &progress{}, 30*time.Second
	show := func() { fmt.Fprintf(a.stderr, "%d of %d done\n", p.done.Load(), total) }
	if a.isTerminal(a.stderr) && !a.verbose { // log records would break the bar
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(a.stderr), progressbar.OptionSetDescription("applying"),
			progressbar.OptionSetWidth(30), progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond))
		every, show = time.Second, func() { _ = p.bar.RenderBlank() }
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // shows that the program is alive while it waits for the rate limit
		defer close(stopped)
		for {
			select {
			case <-time.After(every):
				show()
			case <-stop:
				return
			}
		}
	}()
	p.end = func() {
		close(stop)
		<-stopped
		if p.bar != nil {
			_ = p.bar.Exit()
			fmt.Fprintln(a.stderr)
		}
	}
	return p
}

// step counts a change that is done or has failed.
func (p *progress) step() {
	p.done.Add(1)
	if p.bar != nil {
		_ = p.bar.Add(1)
	}
}
