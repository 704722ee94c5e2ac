package main

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lock takes a file for this process until it is closed. The system takes the lock
// away when the process ends, however it does. What is locked is a byte that is
// never there, since locks forbid others to read.
func lock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0,
		&windows.Overlapped{OffsetHigh: 1 << 30})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}
