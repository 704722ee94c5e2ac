package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-57d84f87/secretsstore-go"
)

func newDoctorCommand(a *app) *cobra.Command {
	var write bool
	var reportFile string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the setup, and the API against its description",
		Long: `Checks environment, connection, credentials, store and limits, and compares the
API with what the emulator assumes about it. With --write it also creates one
throwaway secret, changes and deletes it. It never deletes a store. The report
has no ids, names, e-mail addresses or credentials. Please attach it to issues.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.doctor(write, reportFile) },
	}
	cmd.Flags().BoolVar(&write, "write", false, "test writes with a throwaway secret")
	cmd.Flags().StringVar(&reportFile, "report", "", "write a JSON report to a `file`")
	return cmd
}

// A doctor examines an account.
type doctor struct {
	*app
	ctx    context.Context      // ends at the first interrupt
	plain  *secretsstore.Client // for requests that are not part of the Secrets Store API
	client *secretsstore.Client // observes responses
	tap    *tap

	checks   []check
	measured map[string]string
	facts    map[string]finding

	isToken, isUserToken    bool // the credentials are a token, and that of a user
	store                   *secretsstore.Store
	subject                 *secretsstore.Secret // the secret that probes read; may be nil
	secrets                 int                  // in the store
	throwaway               *throwaway           // nil without --write
	unknownID, unknownToken string
}

// A check is one result of doctor. Finding is fixed text, and part of the report; detail
// can have names.
type check struct {
	Name    string  `json:"check"`
	Result  verdict `json:"result"`
	Finding string  `json:"finding"`

	detail, advice string
}

// A verdict is the result of a check or a probe.
type verdict string

const (
	ok           verdict = "ok"
	warning      verdict = "warning"
	failure      verdict = "failure"
	confirmed    verdict = "confirmed"
	contradicted verdict = "contradicted"
	notTested    verdict = "not tested"
)

func (d *doctor) add(name string, result verdict, finding, detail, advice string) {
	d.checks = append(d.checks, check{name, result, finding, detail, advice})
	text := finding
	if detail != "" {
		text += ": " + plain(strings.TrimPrefix(detail, "secretsstore: "))
	}
	fmt.Fprintf(d.text(), "%-8s %-12s %s\n", result, name, text)
	if advice != "" {
		fmt.Fprintf(d.text(), "%22s%s\n", "→ ", advice)
	}
}

// fail adds a failure with the error's text as detail.
func (d *doctor) fail(name, finding string, err error, advice string) {
	d.add(name, failure, finding, err.Error(), advice)
}

func (a *app) doctor(write bool, reportFile string) error {
	ctx, cancel := a.withTimeout(a.first)
	defer cancel()
	d := &doctor{
		app: a, ctx: ctx, measured: map[string]string{}, facts: map[string]finding{},
		unknownID: randomHex(16), unknownToken: randomHex(20),
	}
	d.checkEnvironment()
	client, err := a.newClient(func(base http.RoundTripper) http.RoundTripper {
		d.tap = &tap{base: base}
		return d.tap
	})
	if err != nil {
		d.fail("credentials", "no usable credentials", err, "set the variables that the error names, or use --demo")
	} else {
		d.plain, d.client = client, client.With(secretsstore.OnResponse(d.observe))
		err = d.examine(write)
	}
	found := d.finish(reportFile)
	return cmp.Or(err, context.Cause(ctx), found)
}

// examine runs the checks and probes. Its error is that of a refused --write.
func (d *doctor) examine(write bool) error {
	if d.checkConnection() {
		d.checkAccount()
		d.checkStore()
	}
	if d.store == nil {
		return nil
	}
	leftovers := d.checkLeftovers(write)
	if !write {
		d.probe()
		return nil
	}
	question := "Create, change and delete a secret named %s… in store %s, and send requests that the API should refuse?"
	if err := d.confirm(fmt.Sprintf(question, throwawayPrefix, plain(d.store.Name))); err != nil {
		return err
	}
	d.removeLeftovers(leftovers)
	d.write()
	return nil
}

// finish prints the comparison and the report. Its error is what doctor found.
func (d *doctor) finish(file string) error {
	r := d.report()
	n := map[verdict]int{}
	for _, f := range r.Facts {
		n[f.Verdict]++
		if f.Verdict == contradicted {
			fmt.Fprintf(d.text(), "contradicted: %s: %s Seen: %s\n", f.ID, f.Statement, f.Detail)
		}
	}
	fmt.Fprintf(d.text(), "facts: %d confirmed, %d contradicted, %d not tested\n", n[confirmed], n[contradicted], n[notTested])
	var text bytes.Buffer
	err := encodeJSON(&text, r)
	if err == nil && d.output == formatJSON {
		_, err = d.stdout.Write(text.Bytes())
	}
	if err == nil && file != "" {
		err = os.WriteFile(file, text.Bytes(), 0o600)
	}
	switch {
	case err != nil:
		return err
	case d.client == nil:
		return &statusError{exitUsage, errors.New("no usable credentials")}
	case slices.ContainsFunc(d.checks, func(c check) bool { return c.Result == failure }):
		return errors.New("a check failed")
	case n[contradicted] > 0:
		return &statusError{exitPartly, fmt.Errorf("the API contradicts %d facts; please open an issue with the report", n[contradicted])}
	}
	return nil
}
