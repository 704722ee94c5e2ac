package main

import (
	"errors"
	"fmt"

	"github.com/seed-57d84f87/secretsstore-go"
)

// The exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // wrong arguments, or missing or rejected credentials
	exitPartly      = 3 // partly done, or sync --check found differences
	exitUnknown     = 4 // a change may have been applied
	exitInterrupted = 130
)

// A statusError is an error that has an exit status of its own.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &statusError{exitUsage, fmt.Errorf(format, args...)}
}

// exitStatus returns the exit status of a command that returned err.
func exitStatus(err error) int {
	var own *statusError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &own):
		return own.status
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.Is(err, secretsstore.ErrOutcomeUnknown):
		return exitUnknown
	case errors.Is(err, secretsstore.ErrNoCredentials), errors.Is(err, secretsstore.ErrUnauthorized), errors.Is(err, secretsstore.ErrInvalidArgument):
		return exitUsage
	}
	return exitFailed
}
