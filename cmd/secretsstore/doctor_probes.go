package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-57d84f87/secretsstore-go"
)

// A finding is the verdict on a fact. Its detail does not identify the account.
type finding struct {
	verdict verdict
	detail  string
}

// A probe tests a fact with one request. A fact can have several probes. The reply must have
// the status, the code and the word, unless they are zero, and hold.
type probe struct {
	fact  string
	needs string // see doctor.lacks
	// line is "METHOD /path". The path is relative to that of the Secrets Store, unless it
	// starts with /user, /accounts or /EMPTY. In line, body and headers, words in capitals
	// are replaced, see doctor.words.
	line, body      string
	headers         string // "Name: value; Name: value", instead of the credentials
	withCredentials bool   // headers are sent in addition to the credentials

	status, code int
	word         string
	holds        func(*doctor, reply) bool
}

// judge records the result of a probe. A contradiction is never replaced.
func (d *doctor) judge(fact string, holds bool, seen string) {
	if d.facts[fact].verdict == contradicted {
		return
	}
	if holds {
		d.facts[fact] = finding{verdict: confirmed}
	} else {
		d.facts[fact] = finding{contradicted, seen}
	}
}

// skip records why a fact is not tested, unless it has been.
func (d *doctor) skip(fact, reason string) {
	if d.facts[fact].verdict == "" {
		d.facts[fact] = finding{notTested, reason}
	}
}

// lacks returns what a probe needs and is not there.
func (d *doctor) lacks(needs string) string {
	switch {
	case needs == "write" && d.throwaway == nil:
		return "needs --write"
	case needs == "secret" && d.subject == nil:
		return "the store has no secret"
	case needs == "two" && d.secrets < 2:
		return "the store has fewer than two secrets"
	case needs == "token" && !d.isToken, needs == "user token" && !d.isToken:
		return "the credentials are a global API key"
	case needs == "user token" && !d.isUserToken:
		return "the token belongs to an account"
	case needs == "key" && d.isToken:
		return "the credentials are a token"
	}
	return ""
}

// probe runs all probes for which there is what they need.
func (d *doctor) probe() {
	for _, p := range probes() {
		if d.ctx.Err() != nil {
			return
		}
		if lack := d.lacks(p.needs); lack != "" {
			d.skip(p.fact, lack)
			continue
		}
		r := d.send(d.ctx, p)
		if r.usable() {
			d.judge(p.fact, p.isConfirmed(d, r), r.String())
		} else {
			d.skip(p.fact, "no usable response")
		}
		if d.throwaway != nil {
			d.throwaway.keep(p.line, r)
		}
	}
}

func (p *probe) isConfirmed(d *doctor, r reply) bool {
	return (p.status == 0 || r.StatusCode == p.status) && (p.code == 0 || r.hasCode(p.code)) &&
		(p.word == "" || r.word() == p.word) && (p.holds == nil || p.holds(d, r))
}

const (
	list   = "GET /stores/STORE/secrets"
	create = "POST /stores/STORE/secrets"
	get    = "GET /stores/STORE/secrets/SECRET"
	patch  = "PATCH /stores/STORE/secrets/SECRET"
	quota  = "GET /quota"
	bogus  = "Authorization: Bearer UNKNOWNTOKEN"
	verify = "GET /user/tokens/verify"
)

func succeeds(_ *doctor, r reply) bool  { return r.succeeded() }
func hasInfo(_ *doctor, r reply) bool   { return r.succeeded() && r.ResultInfo != nil }
func hasNoInfo(_ *doctor, r reply) bool { return r.succeeded() && r.ResultInfo == nil }
func isNoRoute(_ *doctor, r reply) bool { return r.hasCode(7003) && r.hasCode(7000) }
func isEmpty(_ *doctor, r reply) bool   { return r.succeeded() && len(r.secrets()) == 0 }
func isFirst20(_ *doctor, r reply) bool {
	return r.succeeded() && r.ResultInfo != nil && r.ResultInfo.PerPage == 20 && r.ResultInfo.Page == 1
}
func hasComment(d *doctor, r reply) bool { return r.secret().Comment == d.throwaway.comment }
func hasScopes(_ *doctor, r reply) bool {
	return slices.Equal(r.secret().Scopes, []secretsstore.Scope{"access", "workers"})
}

// has returns a function that reports whether the result has all fields.
func has(fields ...string) func(*doctor, reply) bool {
	return func(_ *doctor, r reply) bool {
		var result map[string]json.RawMessage
		return r.succeeded() && r.DecodeResult(&result) == nil && !slices.ContainsFunc(fields, func(f string) bool { return result[f] == nil })
	}
}

// finds returns a function that reports whether a list has the throwaway secret, or not.
func finds(want bool) func(*doctor, reply) bool {
	return func(d *doctor, r reply) bool {
		return r.succeeded() && want == slices.ContainsFunc(r.secrets(), func(s secretsstore.Secret) bool { return s.ID == d.throwaway.id })
	}
}

// isSorted returns a function that reports whether a list is sorted by time of creation.
func isSorted(direction int) func(*doctor, reply) bool {
	return func(_ *doctor, r reply) bool {
		return r.succeeded() && slices.IsSortedFunc(r.secrets(), func(a, b secretsstore.Secret) int { return direction * a.Created.Compare(b.Created) })
	}
}

// quotaIsCount reports whether the usage is the number of secrets in all stores.
func quotaIsCount(d *doctor, r reply) bool {
	var quota secretsstore.Quota
	n := 0
	for store, err := range d.client.Stores.All(d.ctx, nil) {
		var secrets []*secretsstore.Secret
		if err == nil {
			secrets, err = readSecrets(d.ctx, d.client, store.ID)
		}
		if n += len(secrets); err != nil {
			return false
		}
	}
	return r.succeeded() && r.DecodeResult(&quota) == nil && quota.Secrets.Usage == n
}

// probes returns the table of probes, in the order in which they run.
func probes() []probe {
	return []probe{
		{fact: "store-and-quota-have-result-info", line: "GET /stores/STORE", holds: hasInfo},
		{fact: "store-and-quota-have-result-info", line: quota, holds: hasInfo},
		{fact: "secret-has-no-result-info", needs: "secret", line: get, holds: hasNoInfo},
		{fact: "quota-counts-account", line: quota, holds: quotaIsCount},

		{fact: "uuid-is-routed", line: "GET /stores/UUID", code: 1001, word: "store_not_found"},
		{fact: "invalid-id-7003", line: "GET /stores/a.b", holds: isNoRoute},
		{fact: "invalid-id-status-400", line: "GET /stores/a.b", status: 400},
		{fact: "invalid-account-id-7003", line: "GET /accounts/not.an.id/secrets_store/quota", code: 7003},
		{fact: "long-id-7003", line: "GET /stores/LONG", code: 7003},
		{fact: "missing-id-1000", line: "GET /stores/EMPTY/secrets", code: 1000},
		{fact: "missing-id-status-404", line: "GET /stores/EMPTY/secrets", status: 404},
		{fact: "unknown-path-7003", line: "GET /nowhere", status: 404, holds: isNoRoute},
		{fact: "unsupported-method-10405", line: "PUT /stores/UNKNOWN", status: 405, code: 10405},
		{fact: "duplicate-leading-slash-accepted", line: "GET /EMPTY/accounts/{account_id}/secrets_store/quota", holds: succeeds},

		{fact: "token-accepted", needs: "token", line: quota, holds: succeeds},
		{fact: "key-accepted", needs: "key", line: quota, holds: succeeds},
		{fact: "email-ignores-case", needs: "key", line: quota, headers: "X-Auth-Email: MYEMAIL; X-Auth-Key: MYKEY", holds: succeeds},
		{fact: "token-precedes-key", needs: "token", line: quota, headers: "X-Auth-Email: nobody@example.com; X-Auth-Key: UNKNOWN", withCredentials: true, holds: succeeds},
		{fact: "missing-credentials-9106", line: quota, headers: "none", code: 9106},
		{fact: "missing-email-9106", line: quota, headers: "X-Auth-Key: UNKNOWN", code: 9106},
		{fact: "missing-key-9107", line: quota, headers: "X-Auth-Email: nobody@example.com", code: 9107},
		{fact: "unknown-key-9103", line: quota, headers: "X-Auth-Email: nobody@example.com; X-Auth-Key: UNKNOWN", code: 9103},
		{fact: "credential-error-status-400", line: quota, headers: "none", status: 400},
		{fact: "malformed-token-6003", line: quota, headers: `Authorization: Bearer "UNKNOWN"`, code: 6111},
		{fact: "global-key-as-token-6003", line: quota, headers: "Authorization: Bearer GLOBALKEY", code: 6111},
		{fact: "malformed-email-6003", line: quota, headers: "X-Auth-Email: nobody; X-Auth-Key: UNKNOWN", code: 6102},
		{fact: "malformed-key-6003", line: quota, headers: "X-Auth-Email: nobody@example.com; X-Auth-Key: a b", code: 6103},
		{fact: "unknown-token-10000", line: quota, headers: bogus, code: 10000},
		{fact: "unknown-token-status-401", line: quota, headers: bogus, status: 401},
		{fact: "other-account-9109", line: "GET /accounts/UNKNOWN/secrets_store/quota", status: 403, code: 9109},
		{fact: "credentials-before-route", line: "GET /nowhere", headers: bogus, holds: func(d *doctor, r reply) bool { return !r.succeeded() && !isNoRoute(d, r) }},
		{fact: "verify-token", line: verify, headers: bogus, code: 1000},
		{fact: "verify-token", needs: "user token", line: verify, holds: has("id", "status")},

		{fact: "store-fields", line: "GET /stores/STORE", holds: has("id", "account_id", "name", "created", "modified")},
		{fact: "store-not-found", line: "GET /stores/UNKNOWN", status: 404, code: 1001, word: "store_not_found"},
		{fact: "store-not-found-before-body", needs: "write", line: "POST /stores/UNKNOWN/secrets", body: "{", word: "store_not_found"},

		{fact: "secret-fields", needs: "secret", line: get, holds: has("id", "created", "modified", "name", "status", "store_id", "scopes")},
		{fact: "secret-not-found", line: "GET /stores/STORE/secrets/UNKNOWN", status: 404, code: 1001, word: "secret_not_found"},
		{fact: "value-limit-65536", needs: "write", line: patch, body: `{"value":"TOOBIG"}`, word: "secret_value_too_long"},
		{fact: "value-limit-65536", needs: "write", line: patch, body: `{"value":"BIG"}`, holds: succeeds},
		{fact: "value-required", needs: "write", line: patch, body: `{"value":""}`, word: "secret_value_empty"},
		{fact: "value-required", needs: "write", line: create, body: `[{"name":"NAME_A","scopes":["workers"]}]`, word: "secret_value_empty"},
		{fact: "name-required", needs: "write", line: create, body: `[{"value":"VALUE","scopes":["workers"]}]`, word: "secret_name_empty"},
		{fact: "name-characters", needs: "write", line: create, body: `[{"name":"NAME B","value":"VALUE","scopes":["workers"]}]`, word: "secret_name_invalid"},
		{fact: "name-characters", needs: "write", line: create, body: `[{"name":"NAME.C","value":"VALUE","scopes":["workers"]}]`, word: "secret_name_invalid"},
		{fact: "name-unique-in-store", needs: "write", line: create, body: `[{"name":"NAME","value":"VALUE","scopes":["workers"]}]`, code: 1003, word: "secret_name_already_exists"},
		{fact: "name-taken-status-400", needs: "write", line: create, body: `[{"name":"NAME","value":"VALUE","scopes":["workers"]}]`, status: 400},
		{fact: "name-in-message-of-bulk-create", needs: "write", line: create, body: `[{"name":"NAME","value":"VALUE","scopes":["workers"]},{"name":"NAME","value":"VALUE","scopes":["workers"]}]`, holds: func(d *doctor, r reply) bool {
			return len(r.Errors) == 1 && r.Errors[0].Message == "secret_name_already_exists: "+d.throwaway.name
		}},
		{fact: "name-not-patched", needs: "write", line: patch, body: `{"name":"NAME_D","comment":"COMMENT"}`, holds: func(d *doctor, r reply) bool { return r.secret().Name == d.throwaway.name }},
		{fact: "scopes-required", needs: "write", line: patch, body: `{"scopes":[]}`, word: "secret_scopes_empty"},
		{fact: "scopes-required", needs: "write", line: create, body: `[{"name":"NAME_E","value":"VALUE"}]`, word: "secret_scopes_empty"},
		{fact: "scope-known", line: list + "?scopes=unknown", word: "secret_scope_invalid"},
		{fact: "scope-known", needs: "write", line: patch, body: `{"scopes":["workers","unknown"]}`, word: "secret_scope_invalid"},
		{fact: "scopes-sorted", needs: "write", line: patch, body: `{"scopes":["workers","access","workers"]}`, holds: hasScopes},
		{fact: "secret-patch-partial", needs: "write", line: patch, body: `{"comment":"COMMENT"}`, holds: hasScopes},
		{fact: "secret-patch-empty", needs: "write", line: patch, body: `{}`, holds: func(d *doctor, r reply) bool { return r.secret().Modified.Equal(d.throwaway.modified) }},
		{fact: "null-is-absent", needs: "write", line: patch, body: `{"comment":null,"scopes":null,"value":null}`, holds: hasComment},
		{fact: "unknown-field-ignored", needs: "write", line: patch, body: `{"unknown":{"field":[1]},"comment":"COMMENT"}`, holds: hasComment},
		{fact: "bulk-create-atomic", needs: "write", line: create, body: `[{"name":"NAME_F","value":"VALUE","scopes":["workers"]},{"name":"NAME_G","value":"","scopes":["workers"]}]`, holds: func(d *doctor, r reply) bool {
			found, err := d.findThrowaways(d.ctx, d.throwaway.name+"_F")
			return !r.succeeded() && err == nil && len(found) == 0
		}},
		{fact: "invalid-json-1001", needs: "write", line: patch, body: "{", code: 1001, word: "invalid_json_body"},
		{fact: "invalid-json-1001", needs: "write", line: patch, body: "[]", code: 1001, word: "invalid_json_body"},
		{fact: "empty-list-invalid", needs: "write", line: create, body: "[]", word: "invalid_json_body"},
		{fact: "content-type-ignored", needs: "write", line: patch, body: `{"comment":"COMMENT"}`, headers: "Content-Type: text/plain;charset=UTF-8", withCredentials: true, holds: hasComment},

		{fact: "per-page-default-20", line: list, holds: isFirst20},
		{fact: "per-page-over-100-rejected", line: list + "?per_page=101", code: 1001, word: "invalid_per_page_parameter"},
		{fact: "page-invalid", line: list + "?page=-1", word: "invalid_page_parameter"},
		{fact: "page-invalid", line: list + "?page=x", word: "invalid_page_parameter"},
		{fact: "page-zero-is-default", line: list + "?page=0&per_page=0", holds: isFirst20},
		{fact: "page-past-end-empty", line: list + "?page=10000&per_page=100", holds: isEmpty},
		{fact: "order-default-created-desc", needs: "two", line: list + "?per_page=100", holds: isSorted(-1)},
		{fact: "order-by-field", needs: "two", line: list + "?per_page=100&order=created&direction=asc", holds: isSorted(1)},
		{fact: "order-invalid", line: list + "?order=unknown", word: "invalid_order_parameter"},
		{fact: "order-invalid", line: list + "?direction=unknown", word: "invalid_direction_parameter"},
		{fact: "search-name-and-comment", needs: "write", line: list + "?search=NAME", holds: finds(true)},
		{fact: "search-name-and-comment", needs: "write", line: list + "?search=COMMENT", holds: finds(true)},
		{fact: "search-name-and-comment", needs: "write", line: list + "?search=UNKNOWN", holds: finds(false)},
		{fact: "search-ignores-case", needs: "write", line: list + "?search=LOWERNAME", holds: finds(true)},
		{fact: "scopes-filter-comma", needs: "write", line: list + "?search=NAME&scopes=access,workers", holds: finds(true)},
		{fact: "scopes-filter-repeated", needs: "write", line: list + "?search=NAME&scopes=access&scopes=workers", holds: finds(true)},
		{fact: "scopes-filter-repeated", needs: "write", line: list + "?search=NAME&scopes=access&scopes=dex", holds: finds(false)},
		{fact: "scopes-filter-repeated", needs: "write", line: list + "?search=NAME&scopes=dex&scopes=access", holds: finds(false)},
		{fact: "scopes-filter-all", needs: "write", line: list + "?search=NAME&scopes=access,dex", holds: finds(false)},
		{fact: "total-count-ignores-search", needs: "secret", line: list + "?search=UNKNOWN", holds: func(d *doctor, r reply) bool { return hasInfo(d, r) && r.ResultInfo.TotalCount > 0 }},
	}
}

var (
	anyTime    = regexp.MustCompile(`"(?:created|modified)":"([^"]*)"`)
	microsTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
)

// observe judges the facts that every response of the Secrets Store API shows. Errors of
// gateways do not count.
func (d *doctor) observe(resp *secretsstore.Response) {
	if resp.StatusCode >= 500 {
		return
	}
	seen, body := reply{Response: resp}.String(), string(resp.Body)
	var fields map[string]json.RawMessage
	isEnvelope := json.Unmarshal(resp.Body, &fields) == nil && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json")
	for _, field := range []string{"success", "errors", "messages", "result"} {
		isEnvelope = isEnvelope && fields[field] != nil
	}
	d.judge("response-is-json-envelope", isEnvelope, seen)
	d.judge("response-has-ray-id", resp.Header.Get("CF-Ray") != "", seen)
	d.judge("response-has-rate-limit", resp.Header.Get("Ratelimit") != "" && resp.Header.Get("Ratelimit-Policy") != "", seen)
	if string(fields["success"]) == "false" {
		d.judge("failure-result-null", string(fields["result"]) == "null", seen)
	}
	for _, match := range anyTime.FindAllStringSubmatch(body, -1) {
		d.judge("time-has-microseconds", microsTime.MatchString(match[1]), seen)
	}
	if d.throwaway != nil {
		d.judge("value-never-returned", !strings.Contains(body, d.throwaway.value.Reveal()) && !strings.Contains(body, "vvvvvvvv"), seen)
	}
}
