package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

const usage = `Usage: bulk [flags]

Changes the scopes and comments of many secrets of a Cloudflare Secrets Store: shows
what it would do, asks, and patches them. What is as it should be is left alone.

With credentials in the environment (CLOUDFLARE_API_TOKEN, or CLOUDFLARE_EMAIL
with CLOUDFLARE_API_KEY) and CLOUDFLARE_ACCOUNT_ID it works on the store that -store
names. Without credentials it starts a Secrets Store in memory with as many secrets
as -demo says. CLOUDFLARE_BASE_URL is another place to reach the API at.

On Cloudflare it writes a journal, so that a run that was ended, or in which patches
failed, goes on with -resume. The first Ctrl-C waits for the patches that were sent,
the second one cancels them, the third one ends the program.

The exit status is 1 if a secret failed or was not reached, and 0 otherwise.

`

// settings are what the flags say.
type settings struct {
	job
	demo        int
	demoGiven   bool
	yes         bool
	concurrency int
	maxAge      time.Duration
	journal     string
	resume      string
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("bulk", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&s.Store, "store", "", "`id` of the store")
	flags.IntVar(&s.demo, "demo", 300, "`number` of secrets in the store in memory; if given, that is used whatever is in the environment")

	flags.Func("scope", "select the secrets that have these `scopes`, all of them", scopesInto(&s.Select.Scopes))
	flags.StringVar(&s.Select.Name, "name", "", "select the secrets whose name matches the `pattern`, as in PROD_*; '*' is all")
	idsFile := flags.String("ids", "", "select the secrets whose ids are in the `file`, one a line, # begins a comment")

	flags.Func("add-scope", "`scopes` that the secrets shall have besides their own, with commas", scopesInto(&s.Change.Add))
	flags.Func("remove-scope", "`scopes` that the secrets shall not have, with commas", scopesInto(&s.Change.Remove))
	flags.Func("set-scopes", "the `scopes` that the secrets shall have and no others, with commas", scopesInto(&s.Change.Set))
	flags.Func("comment", "the `comment` that the secrets shall have; \"\" clears it", func(text string) error {
		s.Change.Comment = &text
		return nil
	})

	flags.BoolVar(&s.yes, "yes", false, "patch without asking")
	flags.IntVar(&s.concurrency, "concurrency", 8, "`number` of patches in flight at most")
	flags.DurationVar(&s.maxAge, "max-age", time.Minute, "read a secret again before its scopes are changed if it was read longer ago; 0 is always")
	flags.StringVar(&s.journal, "journal", "", "`file` for the journal, a new one (default bulk-TIME.journal, none in memory)")
	flags.StringVar(&s.resume, "resume", "", "go on with the journal in this `file`; what other flags say must be as it was")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q (-h explains)", flags.Arg(0))
	}
	flags.Visit(func(f *flag.Flag) { s.demoGiven = s.demoGiven || f.Name == "demo" })
	if *idsFile != "" {
		ids, err := readIDs(*idsFile)
		if err != nil {
			return s, fmt.Errorf("-ids: %w", err)
		}
		s.Select.setIDs(ids)
	}
	return s, s.check()
}

func (s *settings) check() error {
	switch {
	case s.demo < 0:
		return errors.New("-demo can't be below 0")
	case s.concurrency < 1:
		return errors.New("-concurrency must be at least 1")
	case s.maxAge < 0:
		return errors.New("-max-age can't be below 0")
	case s.demoGiven && (s.Store != "" || s.resume != ""):
		return errors.New("-demo is about a store in memory, which has no -store to choose and nothing to -resume")
	case s.journal != "" && s.resume != "":
		return errors.New("-resume goes on with its own journal: leave out -journal")
	}
	if err := s.Select.check(); err != nil {
		return err
	}
	return s.Change.check()
}

func scopesInto(scopes *[]secretsstore.Scope) func(string) error {
	return func(text string) error {
		for scope := range strings.SplitSeq(text, ",") {
			scope = strings.TrimSpace(scope)
			if scope == "" {
				return errors.New("an empty scope")
			}
			*scopes = append(*scopes, secretsstore.Scope(scope))
		}
		slices.Sort(*scopes)
		*scopes = slices.Compact(*scopes)
		return nil
	}
}
