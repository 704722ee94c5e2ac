package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

const (
	maxSkew     = 30 * time.Second
	expiresSoon = 14 * 24 * time.Hour
	tokenPage   = "https://dash.cloudflare.com/profile/api-tokens"
)

// checkEnvironment checks the variables that the client reads.
func (d *doctor) checkEnvironment() {
	if d.demo {
		d.isToken = true
		d.add("environment", ok, "not used with --demo", "", "")
		return
	}
	var set []string
	for _, name := range []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_BASE_URL"} {
		value := d.getenv(name)
		if value != "" {
			set = append(set, name)
		}
		if strings.Contains(value, "\ufeff") {
			d.add("environment", failure, name+" has a byte-order mark", "", "set it again without the mark, for example from a file saved as plain UTF-8")
		} else if strings.TrimSpace(value) != value {
			d.add("environment", warning, name+" has white space around it, which this program ignores", "", "other tools may fail: remove it")
		}
	}
	d.isToken = strings.TrimSpace(d.getenv("CLOUDFLARE_API_TOKEN")) != ""
	switch isKey := d.getenv("CLOUDFLARE_EMAIL") != "" && d.getenv("CLOUDFLARE_API_KEY") != ""; {
	case d.isToken && isKey:
		d.add("environment", warning, "CLOUDFLARE_API_TOKEN is used, and CLOUDFLARE_EMAIL with CLOUDFLARE_API_KEY is not", "", "remove those that you don't need")
	case isKey:
		d.add("environment", warning, "a global API key is used, which has all permissions of its user", "", "use a token with Secrets Store Write instead: "+tokenPage)
	case len(set) > 0:
		d.add("environment", ok, "set: "+strings.Join(set, ", "), "", "")
	}
	if d.getenv("CLOUDFLARE_API_BASE_URL") != "" && d.getenv("CLOUDFLARE_BASE_URL") == "" {
		d.add("environment", warning, "CLOUDFLARE_API_BASE_URL is set, which only wrangler reads", "", "set CLOUDFLARE_BASE_URL too if you mean another base URL")
	}
}

// checkConnection verifies the token, and checks what the exchange shows about connection
// and clock. It reports whether a response was received.
func (d *doctor) checkConnection() bool {
	var token struct {
		Status    string    `json:"status"`
		ExpiresOn time.Time `json:"expires_on"`
	}
	started := time.Now()
	resp, err := d.plain.Do(d.ctx, http.MethodGet, "/user/tokens/verify", nil, &token)
	if resp == nil {
		d.fail("connection", "no response", err, "check the network, DNS, HTTPS_PROXY and the system's certificates")
		return false
	}
	d.isUserToken = d.isToken && err == nil
	d.add("connection", ok, tlsText(d.tap.tls.Load()), "", "")
	date, dateErr := http.ParseTime(resp.Header.Get("Date"))
	skew := started.Add(time.Since(started) / 2).Sub(date).Round(time.Second)
	switch {
	case dateErr != nil:
		d.add("clock", warning, "the response has no date", "", "check what answers at the base URL: it may be a proxy")
	case skew.Abs() > maxSkew:
		d.add("clock", warning, fmt.Sprintf("differs from the server's by %v", skew), "", "synchronize it: certificates and expiry dates depend on it")
	default:
		d.add("clock", ok, fmt.Sprintf("differs from the server's by at most %v", maxSkew), "", "")
	}
	if !d.isToken {
		return true
	}
	if err != nil { // it can be a token of an account, not of a user
		_, err = d.plain.Do(d.ctx, http.MethodGet, "/accounts/{account_id}/tokens/verify", nil, &token)
	}
	switch {
	case errors.Is(err, secretsstore.ErrInvalidArgument): // no account, which another check reports
	case err != nil:
		d.fail("token", "the token is not valid", err, "create a token, or copy it again: "+tokenPage)
	case token.Status != "active":
		d.add("token", failure, "the token is not active", token.Status, "activate or replace it: "+tokenPage)
	case !token.ExpiresOn.IsZero() && time.Until(token.ExpiresOn) < expiresSoon:
		d.add("token", warning, "the token expires within two weeks", token.ExpiresOn.Format(time.RFC3339), "roll it in time: "+tokenPage)
	default:
		d.add("token", ok, "active", "", "")
	}
	return true
}

func tlsText(state *tls.ConnectionState) string {
	if state == nil || len(state.PeerCertificates) == 0 {
		return "a response was received, without TLS"
	}
	days := time.Until(state.PeerCertificates[0].NotAfter) / (24 * time.Hour)
	return fmt.Sprintf("%s, certificate valid for %d days", tls.VersionName(state.Version), days)
}

// checkAccount checks access to the account, its quota and the rate limit.
func (d *doctor) checkAccount() {
	quota, resp, err := d.client.Quota.Get(d.ctx)
	switch {
	case errors.Is(err, secretsstore.ErrInvalidArgument):
		d.fail("account", "no valid account id", err, "set CLOUDFLARE_ACCOUNT_ID, or use --account-id")
	case errors.Is(err, secretsstore.ErrForbidden):
		d.fail("account", "no access", err, "check the account id, and give the token the permission Secrets Store Read or Write")
	case err != nil:
		d.fail("account", "the account cannot be read", err, "check the account id and the credentials")
	}
	if err != nil {
		return
	}
	d.add("account", ok, "it can be read", "", "")
	usage := fmt.Sprintf("%d of %d secrets", quota.Secrets.Usage, quota.Secrets.Quota)
	if quota.Secrets.Usage >= quota.Secrets.Quota-quota.Secrets.Quota/10 {
		d.add("quota", warning, "almost or entirely used", usage, "delete secrets, or ask Cloudflare for more")
	} else {
		d.add("quota", ok, "less than 90% used", usage, "")
	}
	switch limit := resp.RateLimit; {
	case limit == nil:
		d.add("rate limit", warning, "responses have no rate-limit headers", "", "a gateway may remove them; the client cannot hold requests back then")
	case limit.Remaining < limit.Quota/10:
		d.add("rate limit", warning, "less than 10% of the requests remain", fmt.Sprintf("%d of %d", limit.Remaining, limit.Quota), "other programs use the same token or user: give each its own")
	default:
		d.add("rate limit", ok, fmt.Sprintf("%d requests per %v", limit.Quota, limit.Window), "", "")
	}
}

// checkStore finds the store, and reads all of its pages.
func (d *doctor) checkStore() {
	store, err := findStore(d.ctx, d.client, d.storeName)
	if err != nil {
		d.fail("store", "no store to work with", err, "create a store in the dashboard or with wrangler, or name one with --store")
		return
	}
	d.store = store
	d.add("store", ok, "found", store.Name, "")
	secrets, err := readSecrets(d.ctx, d.client, store.ID)
	if err != nil {
		d.fail("paging", "the secrets cannot be read", err, "see the error")
		return
	}
	d.secrets = len(secrets)
	if len(secrets) > 0 {
		d.subject = secrets[0]
	}
	if len(secrets) < 2 {
		d.add("paging", ok, "fewer than two secrets: nothing to compare", "", "")
		return
	}
	page := func(n int) (id string) {
		list, _, listErr := d.client.Secrets.List(d.ctx, store.ID, &secretsstore.SecretListOptions{Page: n, PerPage: 1})
		if err = errors.Join(err, listErr); len(list) == 1 {
			id = list[0].ID
		}
		return id
	}
	switch first, second := page(1), page(2); {
	case err != nil:
		d.fail("paging", "a page cannot be read", err, "see the error")
	case first == "" || second == "" || first == second:
		d.add("paging", failure, "the second page is not what follows the first", "", "lists are incomplete; report it to Cloudflare")
	default:
		d.add("paging", ok, "the second page follows the first", "", "")
	}
}

// checkLeftovers returns the secrets that a run that was killed left behind.
func (d *doctor) checkLeftovers(write bool) []*secretsstore.Secret {
	found, err := d.findThrowaways(d.ctx, throwawayPrefix)
	if err != nil {
		d.fail("leftovers", "the secrets cannot be searched", err, "see the error")
	} else if len(found) == 0 {
		d.add("leftovers", ok, "none", "", "")
	}
	for _, secret := range found {
		if !write {
			d.add("leftovers", warning, "an earlier run left a secret behind", secret.Name, "remove it with doctor --write")
		}
	}
	return found
}

func (d *doctor) findThrowaways(ctx context.Context, prefix string) (found []*secretsstore.Secret, err error) {
	for secret, err := range d.client.Secrets.All(ctx, d.store.ID, nil) {
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(secret.Name, prefix) && secret.Status != secretsstore.SecretStatusDeleted {
			found = append(found, secret)
		}
	}
	return found, nil
}
