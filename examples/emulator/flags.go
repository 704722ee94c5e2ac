package main

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// settings are what the flags say.
type settings struct {
	addr        string
	allowRemote bool
	options     []secretsstoretest.ServerOption
}

// What the server takes. It panics on anything else, since it is made for tests.
var (
	idForm    = regexp.MustCompile(`^[0-9A-Za-z_-]{1,32}$`)
	tokenForm = regexp.MustCompile(`^[0-9A-Za-z._~+/=-]+$`)
	emailForm = regexp.MustCompile(`^[^\s[:cntrl:]"<>@]+@[^\s[:cntrl:]"<>@]+$`)
)

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("emulator", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8787", "`host:port` to listen on; port 0 is one that is free")
	flags.BoolVar(&s.allowRemote, "allow-remote", false, "listen also where other machines can reach it, unencrypted")
	accountID := flags.String("account-id", "", "`id` of the account; made up if not given")
	token := flags.String("api-token", "", "API `token` that signs in, not a real one; made up if not given")
	email := flags.String("email", "", "`address` that signs in with -api-key; made up if not given")
	key := flags.String("api-key", "", "`key` that signs in with -email, not a real one; made up if not given")
	maxStores := flags.Int("max-stores", 1, "how many stores the account may have; 0 is any `number`")
	maxSecrets := flags.Int("max-secrets", 100, "how many secrets the account may have; 0 is any `number`")
	rate := flags.String("rate", "", "`limit` of requests, as 1200/5m, which is the API's own; none if not given")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q (-h explains)", flags.Arg(0))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })

	if *maxStores < 0 || *maxSecrets < 0 {
		return s, errors.New("-max-stores and -max-secrets can't be below 0")
	}
	s.options = append(s.options, secretsstoretest.WithMaxStores(*maxStores), secretsstoretest.WithMaxSecrets(*maxSecrets))
	if given["account-id"] {
		if !idForm.MatchString(*accountID) {
			return s, fmt.Errorf(`-account-id: %q can't be an id: 1 to 32 letters, digits, "_" and "-"`, *accountID)
		}
		s.options = append(s.options, secretsstoretest.WithAccountID(*accountID))
	}
	if given["api-token"] {
		if !tokenForm.MatchString(*token) {
			return s, errors.New("-api-token: a token is letters, digits and any of -._~+/=")
		}
		s.options = append(s.options, secretsstoretest.WithAPIToken(*token))
	}
	if given["email"] || given["api-key"] {
		if !given["email"] {
			*email = "emulator@example.com"
		}
		if !given["api-key"] {
			*key = rand.Text()
		}
		if !emailForm.MatchString(*email) {
			return s, fmt.Errorf("-email: %q is not an email address", *email)
		}
		if !tokenForm.MatchString(*key) {
			return s, errors.New("-api-key: a key is letters, digits and any of -._~+/=")
		}
		s.options = append(s.options, secretsstoretest.WithAPIKey(*email, *key))
	}
	if given["rate"] {
		requests, window, err := parseRate(*rate)
		if err != nil {
			return s, err
		}
		s.options = append(s.options, secretsstoretest.WithRateLimit(requests, window))
	}
	return s, nil
}

// parseRate reads requests/window.
func parseRate(s string) (requests int, window time.Duration, err error) {
	before, after, _ := strings.Cut(s, "/")
	requests, err = strconv.Atoi(before)
	if err == nil {
		window, err = time.ParseDuration(after)
	}
	if err != nil || requests < 1 || window <= 0 {
		return 0, 0, fmt.Errorf("-rate: %q is not requests/window, such as 1200/5m", s)
	}
	return requests, window, nil
}
