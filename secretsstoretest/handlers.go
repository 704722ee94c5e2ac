package secretsstoretest

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// call is a request that was let in.
type call struct {
	target
	query url.Values
	body  []byte
}

// perform does what the request asks for.
func (s *Server) perform(c call) (reply, *failure) {
	switch c.op {
	case OpGetQuota:
		return s.getQuota(c)
	case OpListStores:
		return s.listStores(c)
	case OpCreateStore:
		return s.createStore(c)
	case OpGetStore:
		return s.getStore(c)
	case OpDeleteStore:
		return s.deleteStore(c)
	case OpListSecrets:
		return s.listSecrets(c)
	case OpCreateSecrets:
		return s.createSecrets(c)
	case OpDeleteSecrets:
		return s.deleteSecrets(c)
	case OpGetSecret:
		return s.getSecret(c)
	case OpPatchSecret:
		return s.patchSecret(c)
	case OpDeleteSecret:
		return deleted(s.state.deleteSecrets(c.account, c.store, c.secret))
	default: // OpDuplicateSecret: route gives no other
		return s.duplicateSecret(c)
	}
}

func (s *Server) getQuota(c call) (reply, *failure) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	quota := s.state.maxSecrets
	if quota == 0 {
		quota = math.MaxInt32
	}
	type usage struct {
		Quota int `json:"quota"`
		Usage int `json:"usage"`
	}
	result := map[string]usage{"secrets": {Quota: quota, Usage: s.state.accounts[c.account].secrets}}
	return reply{result: result, info: oneResult()}, nil
}

func (s *Server) listStores(c call) (reply, *failure) {
	l, f := parseListing(c.query, "name", "created", "modified")
	if f != nil {
		return reply{}, f
	}
	stores, info := s.state.listStores(c.account, l)
	return reply{result: stores, info: info}, nil
}

func (s *Server) createStore(c call) (reply, *failure) {
	var wanted struct {
		Name string `json:"name"`
	}
	if f := decode(c.body, '{', &wanted); f != nil {
		return reply{}, f
	}
	made, f := s.state.makeStore(c.account, wanted.Name, false)
	return reply{result: made, info: oneResult()}, f
}

func (s *Server) getStore(c call) (reply, *failure) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	found, f := s.state.find(c.account, c.store)
	if f != nil {
		return reply{}, f
	}
	return reply{result: found.view(), info: oneResult()}, nil
}

func (s *Server) deleteStore(c call) (reply, *failure) {
	force := c.query.Get("force")
	return reply{}, s.state.deleteStore(c.account, c.store, strings.EqualFold(force, "true") || force == "1")
}

func (s *Server) listSecrets(c call) (reply, *failure) {
	l, f := parseListing(c.query, "name", "comment", "created", "modified", "status")
	if f != nil {
		return reply{}, f
	}
	secrets, info, f := s.state.listSecrets(c.account, c.store, l)
	return reply{result: secrets, info: info}, f
}

func (s *Server) createSecrets(c call) (reply, *failure) {
	var wanted []secretChange
	if f := decode(c.body, '[', &wanted); f != nil {
		return reply{}, f
	}
	if len(wanted) == 0 {
		return reply{}, errInvalid("invalid_json_body")
	}
	made, f := s.state.makeSecrets(c.account, c.store, wanted, false)
	n := len(made)
	return reply{result: made, info: &resultInfo{Count: n, Page: 1, PerPage: max(n, defaultPerPage), TotalCount: n, TotalPages: 1}}, f
}

func (s *Server) deleteSecrets(c call) (reply, *failure) {
	var wanted struct {
		IDs []string `json:"ids"`
	}
	if f := decode(c.body, '{', &wanted); f != nil {
		return reply{}, f
	}
	if len(wanted.IDs) == 0 {
		return reply{}, errInvalid("invalid_json_body")
	}
	return deleted(s.state.deleteSecrets(c.account, c.store, wanted.IDs...))
}

func (s *Server) getSecret(c call) (reply, *failure) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	_, found, f := s.state.findSecret(c.account, c.store, c.secret)
	if f != nil {
		return reply{}, f
	}
	return reply{result: found.view(found.status(s.state.now()))}, nil
}

func (s *Server) patchSecret(c call) (reply, *failure) {
	var change secretChange
	if f := decode(c.body, '{', &change); f != nil {
		return reply{}, f
	}
	patched, f := s.state.patch(c.account, c.store, c.secret, change)
	return reply{result: patched}, f
}

func (s *Server) duplicateSecret(c call) (reply, *failure) {
	var copied secretChange
	if f := decode(c.body, '{', &copied); f != nil {
		return reply{}, f
	}
	made, f := s.state.duplicate(c.account, c.store, c.secret, copied)
	return reply{result: made}, f
}

// deleted is the answer to a deletion of secrets: it is accepted, and has no result.
func deleted(f *failure) (reply, *failure) {
	return reply{status: http.StatusAccepted}, f
}

// decode reads a JSON body whose first character is to be opening. What content type
// the request names is not looked at: wrangler's is text/plain.
func decode(body []byte, opening byte, into any) *failure {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != opening || !utf8.Valid(body) || json.Unmarshal(body, into) != nil {
		return errInvalid("invalid_json_body")
	}
	return nil
}
