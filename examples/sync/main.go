// Command sync brings a store to what a JSON file says: names, comments and scopes of
// secrets, and the environment variables that hold their values. It shows what it would
// do, and does it when told. Without credentials in the environment it shows this on a
// Secrets Store in memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed-57d84f87/secretsstore-go"
)

const usage = `Usage: sync -file FILE [-apply] [-values] [-state FILE]

Brings a store of Cloudflare's Secrets Store to what a JSON file says:

    {
      "store": "production",
      "secrets": [
        {"name": "SESSION_KEY", "comment": "signs cookies", "scopes": ["workers"], "value_env": "SESSION_KEY"}
      ]
    }

value_env names the environment variable that holds the value. A secret without a
comment in the file has none in the store. The store is made if there is none of that
name. A secret that is only in the store is listed, and stays.

It prints the plan; with -apply it does what the plan says. No value is ever printed.
Stopped in the middle, it goes on from there when it is run again.

The API tells no value, so the program can't see whether a secret has the value that it
should have. It remembers what it wrote instead: in a state file, which holds no value
but a digest of each (HMAC-SHA-256, with a random key in the same file). So

  - a value that has changed in the environment is written at the next run,
  - a secret that was not written with this state file is written once,
  - a value that somebody else, or this program with another state file, has changed in
    the store is not noticed; -values writes all of them again,
  - who can read the state file can test guesses of a value, which finds a short
    password and no random key. The file is for its owner only; don't commit it.
    With -state "" there is none, and only new secrets, and -values, write a value.

With credentials in the environment (CLOUDFLARE_API_TOKEN, or CLOUDFLARE_EMAIL
with CLOUDFLARE_API_KEY) and CLOUDFLARE_ACCOUNT_ID it works on that account. Without
credentials, and without flags, it shows three runs on a Secrets Store in memory.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "sync:", err)
		stop()
		os.Exit(1)
	}
}

// settings are what the flags say.
type settings struct {
	file      string
	state     string // "": none is kept
	apply     bool
	allValues bool // write values also where they are the same
	none      bool // no flag was given
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	client, err := secretsstore.NewClient(secretsstore.WithUserAgent("secretsstore-example-sync"))
	if errors.Is(err, secretsstore.ErrNoCredentials) && s.none {
		return demo(ctx, stdout)
	}
	if err != nil {
		return err
	}
	if s.file == "" {
		return errors.New("-file must name the file that says what the store is to hold (-h explains)")
	}
	b, err := os.ReadFile(s.file)
	if err != nil {
		return err
	}
	want, err := readWanted(b, os.Getenv)
	if err != nil {
		return fmt.Errorf("%s: %w", s.file, err)
	}
	return synchronize(ctx, stdout, client, want, s)
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&s.file, "file", "", "JSON `file` that says what the store is to hold")
	flags.BoolVar(&s.apply, "apply", false, "do what the plan says")
	flags.BoolVar(&s.allValues, "values", false, "write all values, also those that have not changed")
	stateGiven := false
	flags.Func("state", "`file` with the digests of the values; \"\" keeps none (default: -file with .state behind)", func(path string) error {
		s.state, stateGiven = path, true
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q (-h explains)", flags.Arg(0))
	}
	if !stateGiven && s.file != "" {
		s.state = s.file + ".state"
	}
	s.none = flags.NFlag() == 0
	return s, nil
}

// synchronize prints the plan and, if told, does what it says.
func synchronize(ctx context.Context, stdout io.Writer, client *secretsstore.Client, want wanted, s settings) error {
	st, err := loadState(s.state)
	if err != nil {
		return err
	}
	p, err := makePlan(ctx, client, want, st, s.allValues)
	if err != nil {
		return err
	}
	if err := p.print(stdout); err != nil {
		return err
	}
	if st == nil && !s.allValues {
		fmt.Fprintln(stdout, "Without a state file, values of secrets that are there already are not compared.")
	}
	switch {
	case p.empty():
		_, err = fmt.Fprintln(stdout, "Nothing to do.")
		return err
	case !s.apply:
		_, err = fmt.Fprintln(stdout, "Nothing was changed; -apply does it.")
		return err
	}
	return p.apply(ctx, stdout, client, st)
}
