// Command rotate gives a secret a new value: it patches it, waits until the secret is
// active, runs a check of the user's, and patches the old value if anything of that
// fails. No value is taken from the command line or printed. Without credentials in
// the environment it shows this against a Secrets Store in memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

const usage = `Usage: rotate [flags] -- CHECK [ARGUMENT...]

Gives a secret of a Cloudflare Secrets Store a new value:

 1. looks whether the secret is there, then gets the old value and the new one
 2. patches the secret with the new value
 3. waits until the secret is active, at most for -timeout
 4. runs CHECK, at most for -timeout
 5. rolls back if 2, 3 or 4 failed, or at Ctrl-C before CHECK has passed: patches
    the secret with the old value, within -rollback-timeout

It ends with status 0 if CHECK ended with 0, and else with status 1 and a message that
says which value the secret has now. The API never returns a value, so the old one is
yours to give, and nothing can tell whether it was right.

Sources of values. One of -new-command, -new-file and -new-random, and one of
-old-command, -old-file and -old-env, must be given. A command is split at spaces and
run without a shell; what it prints on standard output is the value. Put pipes and
quotes into a script. One line end after the value is not part of it; see
-keep-newline.

CHECK gets the new value on standard input, without a line end; it may leave it
there. What is needed for the next rotation as the old value, CHECK can put away: a
random value is known to nobody else. It runs without a shell too, and does not see
the variable of -old-env.

What commands print is passed on line by line, with [REDACTED] for the two values, for
what they look like in JSON, URLs, base64 and hexadecimal, and for the credentials. A
command that prints a value in another disguise, or in parts, is not caught.

With credentials in the environment (CLOUDFLARE_API_TOKEN, or CLOUDFLARE_EMAIL with
CLOUDFLARE_API_KEY) and CLOUDFLARE_ACCOUNT_ID it does so on Cloudflare. Without
credentials, and without flags, it shows a rotation that passes and one that is rolled
back, in a Secrets Store in memory.

Example:

  rotate -store 023e… -secret 3fd8… -new-random 32 -old-command "op read op://v/k/old" \
    -- ./store-and-try.sh

Flags:
`

func main() {
	// All that would end the program in the middle, also a closed terminal, has it roll
	// back instead. A second Ctrl-C does not end that; it takes no longer than it may.
	// What is ignored stays so, as under nohup.
	signals := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGHUP, syscall.SIGTERM}, signal.Ignored)
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	// With this, writing to a closed pipe is an error and not the end, which it would be
	// before the roll back too: rotate | head.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "rotate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	r, err := parse(args, stderr)
	if err != nil {
		return err
	}
	con := &console{stdout: stdout, stderr: stderr}
	for _, name := range []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"} {
		if credential := os.Getenv(name); credential != "" {
			con.secrets = append(con.secrets, secretsstore.NewSecretValue(credential))
		}
	}
	client, err := secretsstore.NewClient(secretsstore.WithUserAgent("secretsstore-example-rotate"))
	if errors.Is(err, secretsstore.ErrNoCredentials) {
		if len(args) > 0 {
			return fmt.Errorf("the flags are for a secret on Cloudflare: %w", err)
		}
		return demo(ctx, con)
	}
	if err != nil {
		return err
	}
	if err := r.complete(); err != nil {
		return fmt.Errorf("%w (-h explains)", err)
	}
	return r.run(ctx, client, con)
}

// parse reads the flags. A value never comes from the command line, where other
// users of the machine and the shell's history would see it.
func parse(args []string, stderr io.Writer) (*rotation, error) {
	r := new(rotation)
	flags := flag.NewFlagSet("rotate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&r.store, "store", "", "`id` of the store")
	flags.StringVar(&r.secret, "secret", "", "`id` of the secret")
	newCommand := flags.String("new-command", "", "`command` that prints the new value")
	newFile := flags.String("new-file", "", "`file` with the new value")
	newRandom := flags.Int("new-random", 0, "make the new value of this many random `bytes`, 16 to 32768")
	newEncoding := flags.String("new-encoding", "base64url", "`encoding` of random bytes as text: base64url, base64 or hex")
	oldCommand := flags.String("old-command", "", "`command` that prints the old value")
	oldFile := flags.String("old-file", "", "`file` with the old value")
	oldEnv := flags.String("old-env", "", "`variable` of the environment with the old value")
	keepNewline := flags.Bool("keep-newline", false, "take the line end after a value of a command or file as part of it")
	flags.DurationVar(&r.timeout, "timeout", 2*time.Minute, "how long the secret may take to become active, and each command to end")
	flags.DurationVar(&r.rollbackTimeout, "rollback-timeout", time.Minute, "how long rolling back may take")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if r.timeout <= 0 || r.rollbackTimeout <= 0 {
		return nil, errors.New("-timeout and -rollback-timeout must be more than 0")
	}
	if err := checkRandom(*newRandom, *newEncoding); err != nil && *newRandom != 0 {
		return nil, err
	}
	text := textOptions{keepNewline: *keepNewline}
	commands := runner{timeout: r.timeout, environment: environmentWithout(*oldEnv)}
	r.newValue = only(
		given{*newCommand != "", commands.source("-new-command", *newCommand, text)},
		given{*newFile != "", fileSource("-new-file", *newFile, text)},
		given{*newRandom != 0, randomSource(*newRandom, *newEncoding)},
	)
	r.oldValue = only(
		given{*oldCommand != "", commands.source("-old-command", *oldCommand, text)},
		given{*oldFile != "", fileSource("-old-file", *oldFile, text)},
		given{*oldEnv != "", environmentSource(*oldEnv)},
	)
	if flags.NArg() > 0 {
		r.check = commands.check(flags.Args())
	}
	return r, nil
}

type given struct {
	is     bool
	source source
}

// only is the one source that is given; nil where none is, or several.
func only(sources ...given) source {
	sources = slices.DeleteFunc(sources, func(g given) bool { return !g.is })
	if len(sources) != 1 {
		return nil
	}
	return sources[0].source
}

// complete says what is missing.
func (r *rotation) complete() error {
	switch {
	case r.store == "" || r.secret == "":
		return errors.New("credentials are set: -store and -secret must name the secret to rotate")
	case r.newValue == nil:
		return errors.New("exactly one of -new-command, -new-file and -new-random must say where the new value comes from")
	case r.oldValue == nil:
		return errors.New("exactly one of -old-command, -old-file and -old-env must say where the old value is, for rolling back")
	case r.check == nil:
		return errors.New("after the flags, a command must check the new value")
	}
	return nil
}

// environmentWithout is the environment for commands: all but the old value.
func environmentWithout(name string) []string {
	return slices.DeleteFunc(os.Environ(), func(s string) bool {
		return name != "" && strings.HasPrefix(s, name+"=")
	})
}
