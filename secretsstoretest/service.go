package secretsstoretest

import (
	"io"
	"maps"
	"math"
	"net/http"
	"strings"
)

// service is the API itself: it handles requests, without faults and without a log.
type service struct {
	state  *state
	access *access
	rate   *rateLimit
}

// call is a request to an operation.
type call struct {
	*http.Request
	path                   string
	principal              *principal // nil: the token is unknown
	account, store, secret string
	body                   []byte
}

// serve handles a request in the order of the service: credentials, rate limit, route,
// permission. The body is read last, by the operation.
func (s *service) serve(op operation, r *http.Request) response {
	principal, err := s.access.authenticate(r.Header)
	header, limited := s.rate.take(principal)
	var done reply
	switch {
	case limited:
		err = fail(http.StatusTooManyRequests, 971, "Please wait and consider throttling your request speed")
	case err == nil || op.base == basePath && err == errUnknownToken: // which they report themselves
		done, err = s.perform(op, &call{
			Request: r, path: r.URL.EscapedPath(), principal: principal,
			account: r.PathValue("account_id"), store: r.PathValue("store_id"), secret: r.PathValue("secret_id"),
		})
	}
	res := done.response()
	if err != nil {
		res = newFailure(err).response()
	}
	maps.Copy(res.header, header)
	return res
}

func (s *service) perform(op operation, c *call) (reply, error) {
	for _, id := range []string{c.account, c.store, c.secret} {
		if id != "" && !validID(id) {
			return reply{}, errNoRoute(http.StatusBadRequest, c.path)
		}
	}
	if op.permission == 0 {
		return op.handle(s, c)
	}
	if err := s.access.authorize(c.principal, c.account, op.permission); err != nil {
		return reply{}, err
	}
	// An unknown store is reported before an invalid body.
	if err := s.checkStore(c); err != nil {
		return reply{}, err
	}
	var err error
	if c.body, err = io.ReadAll(io.LimitReader(c.Body, maxBody)); err != nil {
		return reply{}, errInvalidJSON()
	}
	s.state.Lock()
	defer s.state.Unlock()
	return op.handle(s, c)
}

// checkStore reports an error if the path names a store that does not exist.
func (s *service) checkStore(c *call) (err error) {
	s.state.Lock()
	defer s.state.Unlock()
	if c.store != "" {
		_, err = s.state.store(c.account, c.store)
	}
	return err
}

func (s *service) getQuota(c *call) (reply, error) {
	quota := s.state.limits.secrets
	if quota <= 0 {
		quota = math.MaxInt32
	}
	_, usage := s.state.count(c.account)
	result := map[string]map[string]int{"secrets": {"quota": quota, "usage": usage}}
	return reply{result: result, info: singleResult()}, nil
}

func (s *service) listStores(c *call) (reply, error) {
	l, err := parseListing(c.URL.Query(), "name", "created", "modified")
	if err != nil {
		return reply{}, err
	}
	stores, total := s.state.listStores(c.account, l)
	return reply{result: each(stores, newStoreJSON), info: newResultInfo(l, len(stores), total)}, nil
}

func (s *service) createStore(c *call) (reply, error) {
	body, err := decode[struct{ Name string }](c.body, '{')
	if err != nil {
		return reply{}, err
	}
	made, err := s.state.createStore(c.account, body.Name, false)
	if err != nil {
		return reply{}, err
	}
	return reply{result: newStoreJSON(made), info: singleResult()}, nil
}

func (s *service) getStore(c *call) (reply, error) {
	found, err := s.state.store(c.account, c.store)
	if err != nil {
		return reply{}, err
	}
	return reply{result: newStoreJSON(found), info: singleResult()}, nil
}

func (s *service) deleteStore(c *call) (reply, error) {
	force := c.URL.Query().Get("force")
	return reply{}, s.state.deleteStore(c.account, c.store, strings.EqualFold(force, "true") || force == "1")
}

func (s *service) listSecrets(c *call) (reply, error) {
	l, err := parseListing(c.URL.Query(), "name", "comment", "created", "modified", "status")
	if err != nil {
		return reply{}, err
	}
	secrets, total, err := s.state.listSecrets(c.account, c.store, l)
	return reply{result: each(secrets, newSecretJSON), info: newResultInfo(l, len(secrets), total)}, err
}

func (s *service) createSecrets(c *call) (reply, error) {
	body, err := decode[[]secretBody](c.body, '[')
	if err == nil && len(body) == 0 {
		err = errInvalidJSON()
	}
	if err != nil {
		return reply{}, err
	}
	made, err := s.state.createSecrets(c.account, c.store, each(body, secretBody.fields))
	n := len(made)
	return reply{result: each(made, newSecretJSON), info: newResultInfo(listing{page: 1, perPage: max(n, defaultPerPage)}, n, n)}, err
}

func (s *service) deleteSecrets(c *call) (reply, error) {
	body, err := decode[struct{ IDs []string }](c.body, '{')
	if err == nil && len(body.IDs) == 0 {
		err = errInvalidJSON()
	}
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusAccepted}, s.state.deleteSecrets(c.account, c.store, body.IDs...)
}

func (s *service) getSecret(c *call) (reply, error) {
	found, err := s.state.getSecret(c.account, c.store, c.secret)
	return reply{result: newSecretJSON(found)}, err
}

func (s *service) patchSecret(c *call) (reply, error) {
	body, err := decode[secretBody](c.body, '{')
	if err != nil {
		return reply{}, err
	}
	patched, err := s.state.patchSecret(c.account, c.store, c.secret, body.fields())
	return reply{result: newSecretJSON(patched)}, err
}

func (s *service) deleteSecret(c *call) (reply, error) {
	return reply{status: http.StatusAccepted}, s.state.deleteSecrets(c.account, c.store, c.secret)
}

func (s *service) duplicateSecret(c *call) (reply, error) {
	body, err := decode[secretBody](c.body, '{')
	if err != nil {
		return reply{}, err
	}
	made, err := s.state.duplicateSecret(c.account, c.store, c.secret, body.fields())
	return reply{result: newSecretJSON(made)}, err
}

// verifyToken reports the id of a token. A user with a key has none.
func (s *service) verifyToken(c *call) (reply, error) {
	if c.principal == nil || c.principal.tokenID == "" {
		return reply{}, fail(http.StatusUnauthorized, 1000, "Invalid API Token")
	}
	return reply{
		result:   map[string]string{"id": c.principal.tokenID, "status": "active"},
		messages: []message{{Code: 10000, Message: "This API Token is valid and active"}},
	}, nil
}
