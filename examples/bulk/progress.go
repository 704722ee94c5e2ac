package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows how far a run is. It is not safe for concurrent use.
type progress interface {
	step(failed bool) // one more is done, or failed
	say(line string)
	end()
}

func newProgress(con console, total int) progress {
	if con.canDraw && total > 0 {
		return newBar(con.err, total)
	}
	return newLines(con.err, total, time.Now)
}

// bar is for terminals.
type bar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	failed    atomic.Int64 // the library draws in a goroutine of its own
}

func newBar(out io.Writer, total int) *bar {
	b := &bar{container: mpb.New(mpb.WithOutput(out), mpb.WithAutoRefresh())}
	widest := len(fmt.Sprintf("%d of %d", total, total)) // so that the bar does not jump
	b.bar = b.container.AddBar(int64(total),
		mpb.PrependDecorators(decor.CountersNoUnit("%d of %d", decor.WC{W: widest})),
		mpb.AppendDecorators(
			decor.Percentage(decor.WC{W: 5}),
			decor.Any(func(decor.Statistics) string {
				if failed := b.failed.Load(); failed > 0 {
					return fmt.Sprintf(", %d failed", failed)
				}
				return ""
			}),
			decor.OnComplete(decor.Name(", left "), ""),
			decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO), ""),
		))
	return b
}

func (b *bar) step(failed bool) {
	if failed {
		b.failed.Add(1)
	}
	b.bar.Increment()
}

// say writes a line above the bar. It may follow a ^C that the terminal has shown,
// which leaves the cursor where it should not be.
func (b *bar) say(line string) { fmt.Fprintln(b.container, "\r"+line) }

func (b *bar) end() {
	b.bar.Abort(false) // nothing where the bar is full
	b.container.Wait()
}

// lines are for logs: one for each tenth that is done, and one where there was none
// for longestSilence, so that nobody takes a long run for one that hangs.
type lines struct {
	out                 io.Writer
	now                 func() time.Time
	total, done, failed int
	last                time.Time // when the last line was written
}

const longestSilence = 30 * time.Second

func newLines(out io.Writer, total int, now func() time.Time) *lines {
	return &lines{out: out, now: now, total: total, last: now()}
}

func (l *lines) step(failed bool) {
	before := l.done * 10 / l.total
	l.done++
	if failed {
		l.failed++
	}
	now := l.now()
	if l.done*10/l.total == before && now.Sub(l.last) < longestSilence {
		return
	}
	l.last = now
	line := fmt.Sprintf("%d of %d, %d %%", l.done, l.total, l.done*100/l.total)
	if l.failed > 0 {
		line += fmt.Sprintf(", %d failed", l.failed)
	}
	l.say(line)
}

func (l *lines) say(line string) { fmt.Fprintln(l.out, line) }

func (l *lines) end() {}
