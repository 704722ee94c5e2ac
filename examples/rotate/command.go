package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

// runner runs the commands of the user.
type runner struct {
	timeout     time.Duration
	environment []string
}

// stopDelay is how long a command has to end after it was told to, and how long
// what it leaves running may keep its output open.
const stopDelay = 5 * time.Second

// command makes a command that is told to end, and after a while killed, when its
// time is over or ctx ends.
func (r runner) command(ctx context.Context, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = r.environment
	cmd.Cancel = func() error {
		// Not os.Interrupt: what is started in a shell's background ignores that.
		if cmd.Process.Signal(syscall.SIGTERM) != nil { // as on Windows
			return cmd.Process.Kill()
		}
		return nil
	}
	cmd.WaitDelay = stopDelay
	return cmd
}

func (r runner) context(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("still running after %v", r.timeout))
}

// source runs a command that prints the value.
func (r runner) source(flag, line string, text textOptions) source {
	return func(ctx context.Context, con *console) (secretsstore.SecretValue, error) {
		argv := strings.Fields(line)
		if len(argv) == 0 {
			return secretsstore.SecretValue{}, fmt.Errorf("%s: there is no command", flag)
		}
		ctx, cancel := r.context(ctx)
		defer cancel()
		cmd := r.command(ctx, argv)
		var value, complaint limitedBuffer
		cmd.Stdout, cmd.Stderr = &value, &complaint
		err := cmd.Run()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		got, notGood := con.keepOut(flag, text, value.String())
		// What it says can have the value in it, which is only known now.
		out := con.child(con.stderr)
		_, _ = out.Write(complaint.Bytes())
		out.Close()
		switch {
		case err != nil && value.full:
			return secretsstore.SecretValue{}, notGood
		case err != nil:
			return secretsstore.SecretValue{}, fmt.Errorf("%s: %s: %w", flag, argv[0], err)
		}
		return got, notGood
	}
}

// check runs a command that gets the new value on standard input: an argument can
// be seen by all users of the machine, and the environment goes to everything that
// the command starts.
func (r runner) check(argv []string) check {
	return func(ctx context.Context, con *console, newValue secretsstore.SecretValue) error {
		ctx, cancel := r.context(ctx)
		defer cancel()
		cmd := r.command(ctx, argv)
		cmd.Stdin = strings.NewReader(newValue.Reveal())
		stdout, stderr := con.child(con.stdout), con.child(con.stderr)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		err := cmd.Run()
		stdout.Close()
		stderr.Close()
		switch {
		case ctx.Err() != nil && err != nil:
			err = context.Cause(ctx)
		case errors.Is(err, exec.ErrWaitDelay): // it ended with 0, and left something running
			err = nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", argv[0], err)
		}
		return nil
	}
}

// limitedBuffer takes a little more than a value can have, and then no more.
type limitedBuffer struct {
	bytes.Buffer
	full bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if room := maxValue + 3 - b.Len(); len(p) > room {
		n, _ := b.Buffer.Write(p[:room])
		b.full = true
		return n, errors.New("too much output")
	}
	return b.Buffer.Write(p)
}
