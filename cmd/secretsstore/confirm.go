package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
)

// confirm asks before a change, unless --yes was given. It fails if nobody can be asked.
func (a *app) confirm(question string) error {
	if a.yes {
		return nil
	}
	if !a.isTerminal(a.stdin) {
		return usageError("nothing was changed: standard input is not a terminal; use --yes to change without being asked")
	}
	fmt.Fprint(a.stderr, question, " [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-a.first.Done():
		return context.Cause(a.first)
	case line := <-answer:
		if line != "y" && line != "yes" {
			return errors.New("nothing was changed")
		}
		return nil
	}
}
