package main

import (
	"cmp"
	"runtime"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// A doctorReport is what doctor found. It has nothing that identifies the account.
type doctorReport struct {
	Version     string            `json:"version"`
	Platform    string            `json:"platform"`
	Credentials string            `json:"credentials"`
	BaseURL     string            `json:"base_url"`
	Checks      []check           `json:"checks"`
	Measured    map[string]string `json:"measured"`
	Facts       []reportedFact    `json:"facts"`
}

type reportedFact struct {
	ID        string                 `json:"id"`
	Statement string                 `json:"statement"`
	Basis     secretsstoretest.Basis `json:"basis"`
	Verdict   verdict                `json:"verdict"`
	Detail    string                 `json:"detail,omitempty"`
}

func (d *doctor) report() doctorReport {
	r := doctorReport{
		Version: programVersion(), Platform: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		Credentials: "global API key", BaseURL: "the default", Checks: d.checks, Measured: d.measured,
	}
	if d.isToken {
		r.Credentials = "API token"
	}
	if url := d.getenv("CLOUDFLARE_BASE_URL"); d.demo || url != "" && url != secretsstore.DefaultBaseURL {
		r.BaseURL = "another"
	}
	for _, fact := range secretsstoretest.Facts() {
		f := cmp.Or(d.facts[fact.ID], finding{notTested, cmp.Or(untested[fact.ID], "the run ended before")})
		r.Facts = append(r.Facts, reportedFact{fact.ID, fact.Statement, fact.Basis, f.verdict, f.detail})
	}
	return r
}

const (
	deletesStore  = "a store is never deleted"
	createsStore  = "a store is never created"
	exhaustsLimit = "the rate limit is never exhausted"
	bulkDeletes   = "a bulk delete whose ids were lost could delete other secrets"
)

// untested is why there is no probe for a fact.
var untested = map[string]string{
	"rolled-token-10000":        "the token is not rolled",
	"store-created-and-listed":  createsStore,
	"store-limit":               createsStore,
	"store-limit-before-name":   createsStore,
	"store-name-unique":         createsStore,
	"store-name-required":       createsStore,
	"store-not-empty-409":       deletesStore,
	"store-not-empty-1003":      deletesStore,
	"store-delete-force":        deletesStore,
	"store-delete-status-200":   deletesStore,
	"name-taken-before-quota":   "the account is not filled up",
	"secret-limit":              "the account is not filled up",
	"duplicate-keeps-value":     "the API does not return values",
	"duplicate-without-comment": "only one secret is created on purpose",
	"bulk-delete-status-202":    bulkDeletes,
	"bulk-delete-atomic":        bulkDeletes,
	"rate-limited-429":          exhaustsLimit,
	"rate-limit-per-token":      exhaustsLimit,
	"rate-limited-not-applied":  exhaustsLimit,
	"read-token-cannot-write":   "needs --write and a token with Secrets Store Read only",
}
