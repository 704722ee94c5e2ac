package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-57d84f87/secretsstore-go"
)

const (
	rotateTimeout   = 2 * time.Minute
	rollbackTimeout = time.Minute
	stopDelay       = 5 * time.Second // between asking a command to end and killing it
)

// A rotation gives a secret a new value.
type rotation struct {
	*app
	newFrom, oldFrom     string
	newSource, oldSource source
	check                []string

	client *secretsstore.Client
	secret *secretsstore.Secret
}

func newRotateCommand(a *app) *cobra.Command {
	r := rotation{app: a}
	cmd := &cobra.Command{
		Use:   "rotate NAME --new SOURCE [--old SOURCE] -- CHECK...",
		Short: "Change a value, and roll back if a check fails",
		Long: `Patches the value of a secret, waits until the secret is active and runs CHECK,
which gets the new value on standard input. If CHECK fails, the old value is
patched again. Patch, wait and CHECK must end within --timeout, 2m by default.
A SOURCE is ` + sourceHelp + `.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() != 1 || len(args) < 2 {
				return errors.New("NAME and, after --, a CHECK command are required")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			r.check = args[1:]
			return r.run(args[0])
		},
	}
	cmd.Flags().StringVar(&r.newFrom, "new", "", "`source` of the new value")
	cmd.Flags().StringVar(&r.oldFrom, "old", "", "`source` of the old value, for the rollback")
	return cmd
}

func (r *rotation) run(name string) (err error) {
	if r.newSource, err = parseSource(r.newFrom); err != nil {
		return usageError("--new: %w", err)
	}
	if r.oldFrom == "" {
		fmt.Fprintln(r.stderr, "without --old, the rotation cannot be rolled back if the check fails")
	} else if r.oldSource, err = parseSource(r.oldFrom); err != nil {
		return usageError("--old: %w", err)
	}
	if r.newFrom == "-" && r.oldFrom == "-" {
		return usageError("only one of --new and --old can be -")
	}
	r.timeout = cmp.Or(r.timeout, rotateTimeout)
	client, store, err := r.open(r.first, "")
	if err != nil {
		return err
	}
	if r.secret, err = client.Secrets.FindByName(r.first, store.ID, name); err != nil {
		return err
	}
	r.client = client
	if err := r.confirm(fmt.Sprintf("Rotate %s in store %s?", plain(name), plain(store.Name))); err != nil {
		return err
	}
	var oldValue secretsstore.SecretValue
	if r.oldFrom != "" {
		if oldValue, err = r.oldSource.read(r.first, r.app); err != nil {
			return fmt.Errorf("nothing was changed: --old: %w", err)
		}
	}
	newValue, err := r.newSource.read(r.first, r.app)
	if err != nil {
		return fmt.Errorf("nothing was changed: --new: %w", err)
	}
	if r.first.Err() != nil {
		return fmt.Errorf("nothing was changed: %w", context.Cause(r.first))
	}
	patched, err := r.forward(newValue)
	switch {
	case err == nil:
		fmt.Fprintf(r.text(), "rotated %s\n", plain(name))
		return nil
	case !patched:
		return fmt.Errorf("nothing was changed: %w", err)
	case r.oldFrom != "":
		return r.rollback(oldValue, err)
	}
	status := exitStatus(err)
	if status != exitUnknown && status != exitInterrupted {
		status = exitPartly
	}
	return &statusError{status, fmt.Errorf("the secret may have the new value, and without --old there is no rollback: %w", err)}
}

func (r *rotation) patch(ctx context.Context, value secretsstore.SecretValue) error {
	_, _, err := r.client.Secrets.Patch(ctx, r.secret.StoreID, r.secret.ID, secretsstore.SecretPatch{Value: value})
	return err
}

// forward patches the new value, waits and checks. It reports whether the secret may have
// the new value. An interrupt does not end the patch: its outcome would be unknown.
func (r *rotation) forward(value secretsstore.SecretValue) (patched bool, err error) {
	ctx, intake, cancel := r.contexts()
	defer cancel()
	if err := r.patch(ctx, value); err != nil {
		return errors.Is(err, secretsstore.ErrOutcomeUnknown), err
	}
	fmt.Fprintln(r.stderr, "patched; waiting until the secret is active")
	if _, err := r.client.Secrets.WaitActive(intake, r.secret.StoreID, r.secret.ID); err != nil {
		return true, err
	}
	fmt.Fprintln(r.stderr, "active; running the check")
	if err := r.runCheck(intake, value); err != nil {
		return true, fmt.Errorf("check: %w", err)
	}
	return true, nil
}

// rollback patches the old value, because of an error.
func (r *rotation) rollback(value secretsstore.SecretValue, cause error) error {
	fmt.Fprintln(r.stderr, "rolling back:", strings.TrimPrefix(cause.Error(), "secretsstore: "))
	ctx, cancel := context.WithTimeout(r.second, rollbackTimeout)
	defer cancel()
	if err := r.patch(ctx, value); err != nil {
		return &statusError{exitUnknown, fmt.Errorf("the rollback failed, and the secret may have either value: %w", err)}
	}
	status := exitFailed
	if errors.Is(cause, errInterrupted) {
		status = exitInterrupted
	}
	return &statusError{status, errors.New("rolled back: the secret has the old value")}
}

// runCheck runs the check with the value on standard input. It runs without the variables
// of the sources, and without standard output, which is for data.
func (r *rotation) runCheck(ctx context.Context, value secretsstore.SecretValue) error {
	cmd := exec.CommandContext(ctx, r.check[0], r.check[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(value.Reveal()), r.stderr, r.stderr
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		return r.newSource == source{"env", name} || r.oldSource == source{"env", name}
	})
	cmd.WaitDelay = stopDelay
	cmd.Cancel = func() error {
		if cmd.Process.Signal(syscall.SIGTERM) != nil { // not supported on Windows
			return cmd.Process.Kill()
		}
		return nil
	}
	err := cmd.Run()
	switch {
	case ctx.Err() != nil && err != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrWaitDelay): // it succeeded, and left a process behind
		return nil
	}
	return err
}
