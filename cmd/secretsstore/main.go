// Command secretsstore lists, changes, syncs and rotates the secrets of a Cloudflare Secrets
// Store. It also reports where the API differs from what is assumed here (doctor) and serves
// an emulator.
//
// Usage:
//
//	secretsstore <command> [flags]
//	secretsstore <command> --help
//
// It reads the credentials from CLOUDFLARE_API_TOKEN, or from CLOUDFLARE_EMAIL and
// CLOUDFLARE_API_KEY, and the account from CLOUDFLARE_ACCOUNT_ID. README.md describes the
// commands, the environment and the exit statuses.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(run(os.Args[1:], environment{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		getenv: os.Getenv, isTerminal: isTerminal, signals: signals,
	}))
}
