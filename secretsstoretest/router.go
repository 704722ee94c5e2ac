package secretsstoretest

import (
	"net/http"
	"net/url"
	"strings"
)

// basePath is where the API's paths begin, as on Cloudflare's own host.
const basePath = "/client/v4"

// Operation names one operation of the API: its method, and its path below
// /accounts/{account_id}/secrets_store (for [OpVerifyToken], below the base URL).
// It says which requests a [Fault] is for and, in a [Request], what was asked.
type Operation string

// The operations of the emulator.
const (
	OpGetQuota        Operation = "GET /quota"
	OpListStores      Operation = "GET /stores"
	OpCreateStore     Operation = "POST /stores"
	OpGetStore        Operation = "GET /stores/{store_id}"
	OpDeleteStore     Operation = "DELETE /stores/{store_id}"
	OpListSecrets     Operation = "GET /stores/{store_id}/secrets"
	OpCreateSecrets   Operation = "POST /stores/{store_id}/secrets"
	OpDeleteSecrets   Operation = "DELETE /stores/{store_id}/secrets"
	OpGetSecret       Operation = "GET /stores/{store_id}/secrets/{secret_id}"
	OpPatchSecret     Operation = "PATCH /stores/{store_id}/secrets/{secret_id}"
	OpDeleteSecret    Operation = "DELETE /stores/{store_id}/secrets/{secret_id}"
	OpDuplicateSecret Operation = "POST /stores/{store_id}/secrets/{secret_id}/duplicate"
	// OpVerifyToken is not of the Secrets Store: wrangler asks it when it was refused.
	OpVerifyToken Operation = "GET /user/tokens/verify"
)

// operations returns all of them, in the order of the API's reference.
func operations() []Operation {
	return []Operation{
		OpGetQuota, OpListStores, OpCreateStore, OpGetStore, OpDeleteStore,
		OpListSecrets, OpCreateSecrets, OpDeleteSecrets,
		OpGetSecret, OpPatchSecret, OpDeleteSecret, OpDuplicateSecret, OpVerifyToken,
	}
}

func (op Operation) known() bool {
	for _, o := range operations() {
		if o == op {
			return true
		}
	}
	return false
}

// writes says whether the operation needs the permission to write.
func (op Operation) writes() bool { return !strings.HasPrefix(string(op), http.MethodGet+" ") }

// target is what the path of a request names.
type target struct {
	op      Operation // "" where nothing answers this path and method
	account string
	store   string
	secret  string
}

// route finds the operation of a request. The path is split before it is
// unescaped, so an escaped slash stays inside its identifier, where it is refused.
func route(method string, u *url.URL) (target, *failure) {
	path := u.EscapedPath()
	noRoute := errNoRoute(http.StatusNotFound, path)
	rest, ok := strings.CutPrefix(path, basePath+"/")
	if !ok {
		return target{}, noRoute
	}
	// A base URL that ends in a slash makes some clients send "//accounts".
	segments := strings.Split(strings.TrimLeft(rest, "/"), "/")
	for i, s := range segments {
		unescaped, err := url.PathUnescape(s)
		if err != nil {
			return target{}, noRoute
		}
		segments[i] = unescaped
	}

	if len(segments) == 1 && segments[0] == "user" {
		// wrangler asks who the user is after it was refused, and takes this answer for
		// one to a token that may not know.
		return target{}, errOtherAccount()
	}
	pattern, t := match(segments)
	if pattern == "" {
		return target{}, noRoute
	}
	op := Operation(method + " " + pattern)
	if !op.known() {
		return target{account: t.account}, errMethod(method, methodsOf(pattern))
	}
	t.op = op
	if op == OpVerifyToken {
		return t, nil
	}
	return t, t.checkIDs(pattern, path)
}

// match returns the pattern that the segments fit, and the identifiers in them.
func match(segments []string) (pattern string, t target) {
	if len(segments) == 3 && segments[0] == "user" && segments[1] == "tokens" && segments[2] == "verify" {
		return "/user/tokens/verify", target{}
	}
	if len(segments) < 4 || segments[0] != "accounts" || segments[2] != "secrets_store" {
		return "", target{}
	}
	t.account = segments[1]
	s := segments[3:]
	if len(s) == 1 && s[0] == "quota" {
		return "/quota", t
	}
	if s[0] != "stores" || len(s) > 5 || len(s) >= 3 && s[2] != "secrets" || len(s) == 5 && s[4] != "duplicate" {
		return "", target{}
	}
	pattern = "/stores"
	if len(s) >= 2 {
		pattern, t.store = pattern+"/{store_id}", s[1]
	}
	if len(s) >= 3 {
		pattern += "/secrets"
	}
	if len(s) >= 4 {
		pattern, t.secret = pattern+"/{secret_id}", s[3]
	}
	if len(s) == 5 {
		pattern += "/duplicate"
	}
	return pattern, t
}

// checkIDs refuses identifiers that can't be any: none at all, or of another shape.
func (t target) checkIDs(pattern, path string) *failure {
	malformed := !validID(t.account)
	for _, id := range []struct{ in, value string }{{"{store_id}", t.store}, {"{secret_id}", t.secret}} {
		if !strings.Contains(pattern, id.in) {
			continue
		}
		if id.value == "" {
			return errMissingID()
		}
		malformed = malformed || !validID(id.value)
	}
	if malformed {
		return errNoRoute(http.StatusBadRequest, path)
	}
	return nil
}

// validID reports whether s can be an identifier. The API's are 32 hexadecimal
// digits; others are let through so that a test may use ids that can be read.
func validID(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, nameCharacters) == ""
}

func methodsOf(pattern string) []string {
	var methods []string
	for _, op := range operations() {
		if method, p, _ := strings.Cut(string(op), " "); p == pattern {
			methods = append(methods, method)
		}
	}
	return methods
}
