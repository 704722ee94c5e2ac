//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package main

import (
	"errors"
	"os"
)

func lock(*os.File) error {
	return errors.New("this program can't lock files on this system, so that it can't have a journal")
}
