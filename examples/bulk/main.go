// Command bulk changes the scopes and comments of many secrets at once: it selects
// them, shows what it would do, asks, and patches them, with a journal by which a
// run that was killed goes on where it stopped. Without credentials in the
// environment it does so on a Secrets Store in memory, so that it runs anywhere.
//
// # What a patch can undo
//
// The API replaces the whole list of scopes and knows no conditional requests. So
// -add-scope and -remove-scope read a secret, work out its scopes and write them,
// and what somebody else did to the scopes in between is lost. Bulk keeps this
// window short, and can't close it: a secret that was read longer than -max-age ago
// is read again right before its patch, and one that is then as it should be is
// left alone. What is not to change is not sent. Who must be sure sees to it that
// nobody else changes the scopes meanwhile, or uses -set-scopes.
//
// # The journal
//
// The journal is a file of JSON lines that only grows: what the run is about, each
// secret it is to patch, and then what became of each. It has names, ids and
// comments, but never a value; its mode is 0600. A secret is in it as done as soon
// as the API has said so, and then no run that goes on with this journal patches it
// again. What was sent when a run was killed is not in it; the next run looks at it
// again, and patches it unless it finds it changed.
//
// The plan is on the disk (fsync) before the first patch is sent. The lines after it
// are handed to the operating system one by one, so that they outlive a killed
// process, and are brought to the disk once a second and at the end: a machine that
// loses power loses a second of them, whose secrets are looked at again. A last line
// that was cut off is taken away; damage anywhere else is refused.
//
// Which secrets are patched is decided once, when the journal is made, and to what,
// when they are patched: -resume reads them again, shows a plan and asks again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"
)

func main() {
	con := console{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		canAsk:     term.IsTerminal(int(os.Stdin.Fd())),
		canDraw:    term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb",
		interrupts: interrupts,
	}
	switch err := run(context.Background(), os.Args[1:], con); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bulk:", err)
		os.Exit(1)
	}
}

// interrupts catches Ctrl-C, and what service managers send, until stop is called.
// Before it is, and after that, they end the process.
func interrupts() (caught <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	return c, func() { signal.Stop(c) }
}

// console is what is around the program.
type console struct {
	in       io.Reader
	out, err io.Writer // err: questions, progress
	canAsk   bool      // in is a terminal
	canDraw  bool      // err is a terminal

	interrupts func() (caught <-chan os.Signal, stop func())
}

func run(ctx context.Context, args []string, con console) error {
	s, err := parse(args, con.err)
	if err != nil {
		return err
	}
	var j *journal
	if s.resume != "" {
		if j, err = openJournal(s.resume); err != nil {
			return err
		}
		defer j.close()
		if s.job, err = j.job.resumedBy(s.job); err != nil {
			return fmt.Errorf("journal %s: %w", s.resume, err)
		}
	}
	t, err := open(&s, con.out)
	if err != nil {
		return err
	}
	defer t.close()
	if j != nil && j.job.Account != s.Account {
		return fmt.Errorf("journal %s: it is about account %s, not %s", s.resume, plain(j.job.Account), plain(s.Account))
	}
	if s.journal != "" {
		// Told before the store is read; what is decided when it is made.
		if _, err := os.Lstat(s.journal); err == nil {
			return journalIsThere(s.journal)
		}
	}

	seen, err := look(ctx, t.client, s.Store)
	if err != nil {
		return err
	}
	p, err := planFor(s, j, seen)
	if err != nil {
		return err
	}
	if j != nil {
		fmt.Fprintf(con.out, "Going on with %s: of %d secrets %d are done, %d failed.\n", s.resume, len(j.planned), len(j.isDone), len(j.failures))
	}
	if err := p.print(con.out); err != nil {
		return err
	}
	if len(p.items) > 0 && !s.yes {
		if err := ask(con, fmt.Sprintf("Patch %d secrets of store %s?", len(p.items), plain(s.Store))); err != nil {
			return err
		}
	}
	if len(p.items) > 0 && s.journal != "" {
		if j, err = createJournal(s.journal, s.job, p.all()); err != nil {
			return err
		}
		defer j.close()
		fmt.Fprintf(con.out, "Journal: %s\n", s.journal)
	}
	a := newApplication(p, t.client, j)
	a.concurrency, a.maxAge = s.concurrency, s.maxAge
	err = a.run(ctx, con)
	a.print(con.out)
	if err != nil && j != nil && !t.inMemory {
		fmt.Fprintf(con.out, "To go on: -resume %s\n", j.name)
	}
	return err
}

// planFor plans what was asked for, or what a journal has left.
func planFor(s settings, j *journal, seen *snapshot) (*plan, error) {
	if j != nil {
		return newPlan(s.job, seen, j.pending()), nil
	}
	selected, err := s.Select.from(seen)
	if err != nil {
		return nil, err
	}
	return newPlan(s.job, seen, selected), nil
}

func ask(con console, question string) error {
	if !con.canAsk {
		return errors.New("standard input is no terminal: -yes patches without asking; nothing was changed")
	}
	fmt.Fprint(con.err, question, " [y/N] ")
	switch strings.ToLower(readLine(con.in)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was changed")
}

// readLine reads a byte at a time, since what comes after the line is not ours.
func readLine(r io.Reader) string {
	var line []byte
	for b := make([]byte, 1); len(line) < 1024; {
		n, err := r.Read(b)
		if n == 1 && b[0] == '\n' {
			break
		}
		line = append(line, b[:n]...)
		if err != nil {
			break
		}
	}
	return strings.TrimSpace(string(line))
}
