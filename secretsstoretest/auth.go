package secretsstoretest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// A Permission is what a token may do in an account.
type Permission int

const (
	// PermissionRead is Secrets Store Read: it permits the operations with GET.
	PermissionRead Permission = iota + 1
	// PermissionWrite is Secrets Store Write: it permits all operations.
	PermissionWrite
)

var errUnknownToken error = fail(http.StatusUnauthorized, 10000, "Authentication error")

// principal is the holder of credentials: a token, or a user with a key.
type principal struct {
	tokenID string                // "" for a user with a key
	grants  map[string]Permission // by account
	window  window
}

// access holds the valid credentials. It is safe for concurrent use.
type access struct {
	mu       sync.Mutex
	accounts map[string]bool
	tokens   map[string]*principal
	keys     map[[2]string]*principal // by email in lower case, and key
}

// authenticate returns the principal whose credentials a request has. A token takes
// precedence over a key.
func (a *access) authenticate(h http.Header) (*principal, error) {
	authorization, email, key := h.Get("Authorization"), h.Get("X-Auth-Email"), h.Get("X-Auth-Key")
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case authorization != "":
		scheme, token, _ := strings.Cut(authorization, " ")
		if !strings.EqualFold(scheme, "Bearer") || !validToken(token) {
			return nil, errInvalidHeaders(message{Code: 6111, Message: "Invalid format for Authorization header"})
		}
		if p := a.tokens[token]; p != nil {
			return p, nil
		}
		return nil, errUnknownToken
	case email == "" && key == "":
		return nil, fail(http.StatusBadRequest, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
	case email == "":
		return nil, fail(http.StatusBadRequest, 9106, "Missing X-Auth-Email header")
	case key == "":
		return nil, fail(http.StatusBadRequest, 9107, "Missing X-Auth-Key header")
	}
	var chain []message
	if !validEmail(email) {
		chain = append(chain, message{Code: 6102, Message: "Invalid format for X-Auth-Email header"})
	}
	if !validKey(key) {
		chain = append(chain, message{Code: 6103, Message: "Invalid format for X-Auth-Key header"})
	}
	if chain != nil {
		return nil, errInvalidHeaders(chain...)
	}
	if p := a.keys[keyOf(email, key)]; p != nil {
		return p, nil
	}
	return nil, fail(http.StatusBadRequest, 9103, "Unknown X-Auth-Key or X-Auth-Email")
}

// authorize reports an error unless p has the permission in the account.
func (a *access) authorize(p *principal, accountID string, permission Permission) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch granted := p.grants[accountID]; {
	case granted >= permission:
		return nil
	case granted == 0:
		return fail(http.StatusForbidden, 9109, "Unauthorized to access requested resource")
	}
	return fail(http.StatusForbidden, 10000, "Authentication error")
}

func keyOf(email, key string) [2]string { return [2]string{strings.ToLower(email), key} }

// validKey reports whether s has the format of a key.
func validKey(s string) bool { return s != "" && strings.Trim(s, nameCharacters+".~+/=") == "" }

// validToken reports whether s has the format of a token. A global key that is sent as a
// token has not.
func validToken(s string) bool { return validKey(s) && !strings.HasPrefix(s, "cfk_") }

func validEmail(s string) bool {
	user, domain, ok := strings.Cut(s, "@")
	return ok && user != "" && domain != "" && !strings.ContainsAny(s, " \t\"<>") && !strings.Contains(domain, "@")
}

// errInvalidHeaders names each invalid header in its chain.
func errInvalidHeaders(chain ...message) error {
	return &failure{status: http.StatusBadRequest, errors: []message{{Code: 6003, Message: "Invalid request headers", Chain: chain}}}
}

// AddAccount adds an account with the same quotas as the first one. [Server.APIToken] and
// [Server.APIKey] may write to it. An existing account is left unchanged. AddAccount
// panics if id is not 1 to 36 letters, digits, "_" and "-".
func (s *Server) AddAccount(id string) {
	if !validID(id) {
		panic(fmt.Sprintf("secretsstoretest: AddAccount: invalid account id %q", id))
	}
	a := s.service.access
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.accounts[id] {
		a.accounts[id] = true
		s.token.grants[id], s.user.grants[id] = PermissionWrite, PermissionWrite
	}
}

// AddToken makes a token valid in the given accounts, by default in [Server.AccountID].
// It replaces the permissions of an existing token. Each token has its own rate limit.
// AddToken panics if an argument is invalid or an account does not exist.
func (s *Server) AddToken(token string, permission Permission, accountIDs ...string) {
	if !validToken(token) {
		panic("secretsstoretest: AddToken: invalid token")
	}
	if permission != PermissionRead && permission != PermissionWrite {
		panic(fmt.Sprintf("secretsstoretest: AddToken: invalid permission %d", permission))
	}
	if len(accountIDs) == 0 {
		accountIDs = []string{s.AccountID}
	}
	a := s.service.access
	a.mu.Lock()
	defer a.mu.Unlock()
	grants := map[string]Permission{}
	for _, id := range accountIDs {
		if !a.accounts[id] {
			panic(fmt.Sprintf("secretsstoretest: AddToken: unknown account %q", id))
		}
		grants[id] = permission
	}
	if p := a.tokens[token]; p != nil {
		p.grants = grants
		return
	}
	a.tokens[token] = &principal{tokenID: hashID("token " + token), grants: grants}
}

// RevokeToken makes a token invalid. An unknown token is ignored.
func (s *Server) RevokeToken(token string) {
	a := s.service.access
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.tokens, token)
}

// RollToken replaces a token by a new one with the same id, permissions and rate limit.
// The old token is invalid from then on; [Server.APIToken] is not changed. RollToken
// panics if the old token is not valid or the new one is malformed.
func (s *Server) RollToken(oldToken, newToken string) {
	a := s.service.access
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.tokens[oldToken]
	if p == nil || !validToken(newToken) {
		panic("secretsstoretest: RollToken: invalid token")
	}
	delete(a.tokens, oldToken)
	a.tokens[newToken] = p
}
