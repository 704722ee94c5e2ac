package secretsstoretest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Permission is what a token may do in the accounts it is for.
type Permission int

// The permissions of the Secrets Store.
const (
	// PermissionRead allows what only looks: GET.
	PermissionRead Permission = iota + 1
	// PermissionWrite allows everything.
	PermissionWrite
)

// principal is somebody who signs in: a token, or a user with email and key. Each
// has its own rate limit.
type principal struct {
	id     string                // what the verification of a token calls it
	grants map[string]Permission // by account
	window window
}

// credentials are all that can sign in.
type credentials struct {
	mu     sync.Mutex
	tokens map[string]*principal
	keys   map[[2]string]*principal // by email, in lower case, and key
}

func newCredentials() *credentials {
	return &credentials{tokens: map[string]*principal{}, keys: map[[2]string]*principal{}}
}

// authenticate says who sent a request. A header that is malformed is told apart
// from one that is well formed and unknown, as the API does.
func (c *credentials) authenticate(h http.Header) (*principal, *failure) {
	authorization, email, key := h.Get("Authorization"), h.Get("X-Auth-Email"), h.Get("X-Auth-Key")
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case authorization != "":
		token, ok := bearer(authorization)
		if !ok {
			return nil, errHeaders(note{Code: 6111, Message: "Invalid format for Authorization header"})
		}
		if p := c.tokens[token]; p != nil {
			return p, nil
		}
	case email == "" || key == "":
		return nil, errNoCredentials()
	default:
		var chain []note
		if !validEmail(email) {
			chain = append(chain, note{Code: 6102, Message: "Invalid format for X-Auth-Email header"})
		}
		if !validToken(key) {
			chain = append(chain, note{Code: 6103, Message: "Invalid format for X-Auth-Key header"})
		}
		if chain != nil {
			return nil, errHeaders(chain...)
		}
		if p := c.keys[keyOf(email, key)]; p != nil {
			return p, nil
		}
	}
	return nil, errUnauthenticated()
}

// authorize says whether p may do op in the account.
func (c *credentials) authorize(p *principal, account string, op Operation) *failure {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch permission, ok := p.grants[account]; {
	case !ok:
		return errOtherAccount()
	case op.writes() && permission != PermissionWrite:
		return errReadOnly()
	}
	return nil
}

func keyOf(email, key string) [2]string { return [2]string{strings.ToLower(email), key} }

func bearer(authorization string) (token string, ok bool) {
	scheme, token, _ := strings.Cut(authorization, " ")
	return token, strings.EqualFold(scheme, "Bearer") && validToken(token)
}

// validToken reports whether s has the form that a token must have in its header
// (RFC 7235, token68). Spaces, quotes and line ends are what goes wrong.
func validToken(s string) bool {
	return s != "" && strings.Trim(s, nameCharacters+".~+/=") == ""
}

func validEmail(s string) bool {
	user, domain, ok := strings.Cut(s, "@")
	return ok && user != "" && domain != "" && !strings.ContainsAny(s, " \t\"<>") && !strings.Contains(domain, "@")
}

// AddAccount makes one more account, with the same quotas as the first. The
// server's own token and key may write to it, as those of a user who is a member of
// both; for a token that may not, see [Server.AddToken]. An account that exists
// already is left as it is. AddAccount panics if id can't be an identifier: 1 to 32
// letters, digits, "_" and "-".
func (s *Server) AddAccount(id string) {
	if !validID(id) {
		panic(fmt.Sprintf("secretsstoretest: AddAccount: %q can't be an account id", id))
	}
	s.state.addAccount(id)
	s.creds.mu.Lock()
	defer s.creds.mu.Unlock()
	s.own[0].grants[id] = PermissionWrite
	s.own[1].grants[id] = PermissionWrite
}

// AddToken makes token valid in the accounts, or in [Server.AccountID] where none is
// given. A token that is there already has its permissions replaced. Each token has
// its own rate limit. AddToken panics if the token could not be sent in a header, if
// perm is none of the constants, or if there is no such account.
func (s *Server) AddToken(token string, perm Permission, accountIDs ...string) {
	if !validToken(token) {
		panic("secretsstoretest: AddToken: a token is letters, digits and any of -._~+/=")
	}
	if perm != PermissionRead && perm != PermissionWrite {
		panic("secretsstoretest: AddToken: perm is PermissionRead or PermissionWrite")
	}
	if len(accountIDs) == 0 {
		accountIDs = []string{s.AccountID}
	}
	grants := map[string]Permission{}
	for _, id := range accountIDs {
		if !s.state.hasAccount(id) {
			panic(fmt.Sprintf("secretsstoretest: AddToken: there is no account %q; see AddAccount", id))
		}
		grants[id] = perm
	}
	s.creds.mu.Lock()
	defer s.creds.mu.Unlock()
	if p := s.creds.tokens[token]; p != nil {
		p.grants = grants
		return
	}
	s.creds.tokens[token] = &principal{id: randomHex(16), grants: grants}
}

// RevokeToken makes token invalid, whether it is the server's own or one that was
// added; from then on it is answered with "Authentication error". An unknown token is
// no mistake.
func (s *Server) RevokeToken(token string) {
	s.creds.mu.Lock()
	defer s.creds.mu.Unlock()
	delete(s.creds.tokens, token)
}

// Accounts returns the ids of all accounts, sorted.
func (s *Server) Accounts() []string {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return slices.Sorted(maps.Keys(s.state.accounts))
}
