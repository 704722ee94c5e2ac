package secretsstoretest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	basePath    = "/client/v4"
	accountPath = basePath + "/accounts/{account_id}/secrets_store"
)

// An Operation identifies an operation of the API by its method and its path below
// /accounts/{account_id}/secrets_store. The path of [OpVerifyToken] is relative to the
// base URL.
type Operation string

// The operations that the emulator serves.
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

	// OpVerifyToken is not part of the Secrets Store. wrangler calls it after an
	// authentication error.
	OpVerifyToken Operation = "GET /user/tokens/verify"
)

// operation is a row of the table of operations.
type operation struct {
	Operation
	base       string     // precedes the operation's path
	permission Permission // in the account; 0 for operations outside of accounts
	handle     func(*service, *call) (reply, error)
}

// operations returns the table. Routing, faults and the request log follow from it: a new
// operation takes one line here, its name above, and one method of service.
func operations() []operation {
	return []operation{
		{OpGetQuota, accountPath, PermissionRead, (*service).getQuota},
		{OpListStores, accountPath, PermissionRead, (*service).listStores},
		{OpCreateStore, accountPath, PermissionWrite, (*service).createStore},
		{OpGetStore, accountPath, PermissionRead, (*service).getStore},
		{OpDeleteStore, accountPath, PermissionWrite, (*service).deleteStore},
		{OpListSecrets, accountPath, PermissionRead, (*service).listSecrets},
		{OpCreateSecrets, accountPath, PermissionWrite, (*service).createSecrets},
		{OpDeleteSecrets, accountPath, PermissionWrite, (*service).deleteSecrets},
		{OpGetSecret, accountPath, PermissionRead, (*service).getSecret},
		{OpPatchSecret, accountPath, PermissionWrite, (*service).patchSecret},
		{OpDeleteSecret, accountPath, PermissionWrite, (*service).deleteSecret},
		{OpDuplicateSecret, accountPath, PermissionWrite, (*service).duplicateSecret},
		{OpVerifyToken, basePath, 0, (*service).verifyToken},
	}
}

func (op Operation) known() bool {
	return slices.ContainsFunc(operations(), func(o operation) bool { return o.Operation == op })
}

// newRouter returns a handler that passes each request to the endpoint of its operation. A
// request without an operation goes to an endpoint that always fails.
func newRouter(endpoint func(operation) http.Handler) http.Handler {
	failing := func(failure func(*call) error) http.Handler {
		return endpoint(operation{handle: func(_ *service, c *call) (reply, error) { return reply{}, failure(c) }})
	}
	noRoute := failing(func(c *call) error { return errNoRoute(http.StatusNotFound, c.path) })
	missingID := failing(func(*call) error { return errMissingID() })

	mux := http.NewServeMux()
	mux.Handle("/", noRoute)
	methods := map[string][]string{} // by path
	for _, op := range operations() {
		method, path, _ := strings.Cut(string(op.Operation), " ")
		path = op.base + path
		mux.Handle(method+" "+path, endpoint(op))
		methods[path] = append(methods[path], method)
	}
	for path, allowed := range methods {
		mux.Handle(path, failing(func(*call) error { return errMethodNotAllowed(allowed) }))
	}

	// ServeMux would redirect a path with empty or dot segments.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = withoutLeadingSlashes(r)
		segments := strings.Split(r.URL.EscapedPath(), "/")
		switch empty := slices.Index(segments[1:], "") + 1; {
		case segments[0] != "" || slices.Contains(segments, ".") || slices.Contains(segments, ".."):
			noRoute.ServeHTTP(w, r)
		case empty > strings.Count(accountPath, "/"): // in the place of a store or secret id
			missingID.ServeHTTP(w, r)
		case empty > 0 || len(segments) == 1:
			noRoute.ServeHTTP(w, r)
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// withoutLeadingSlashes changes //accounts to /accounts: clients send it if their base URL
// ends in a slash.
func withoutLeadingSlashes(r *http.Request) *http.Request {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), basePath+"//")
	if !ok {
		return r
	}
	u := *r.URL
	u.RawPath = basePath + "/" + strings.TrimLeft(rest, "/")
	u.Path, _ = url.PathUnescape(u.RawPath) // EscapedPath returns valid escapes
	r = r.WithContext(r.Context())
	r.URL = &u
	return r
}
