package secretsstore_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

const (
	accountID = "985e105f4ecef8ad9ca31a8372d0c353"
	storeID   = "023e105f4ecef8ad9ca31a8372d0c353"
	secretID  = "3fd85f74b32742f1bff64a85009dda07"
	apiToken  = "token-abcdefghijklmnopqrstuvwxyz"
	baseURL   = "https://api.example.com/client/v4"

	storesURL  = baseURL + "/accounts/" + accountID + "/secrets_store/stores"
	secretsURL = storesURL + "/" + storeID + "/secrets"
	secretURL  = secretsURL + "/" + secretID

	secretBody = `{"success":true,"errors":[],"messages":[],"result":{"id":"` + secretID + `","name":"MY_API_KEY","status":"active","store_id":"` + storeID + `"}}`
	emptyBody  = `{"success":true,"errors":[],"messages":[],"result":null}`
)

// A sentRequest is a request as a fakeAPI received it.
type sentRequest struct {
	method, url string
	header      http.Header
	body        string
}

// A fakeAPI is a transport that records requests and responds with respond.
type fakeAPI struct {
	respond func(*http.Request) (*http.Response, error)

	mu       sync.Mutex
	requests []sentRequest
}

func (f *fakeAPI) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := sentRequest{method: req.Method, url: req.URL.String(), header: req.Header.Clone()}
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		sent.body = string(b)
		_ = req.Body.Close()
	}
	f.mu.Lock()
	f.requests = append(f.requests, sent)
	f.mu.Unlock()
	return f.respond(req)
}

// sent returns the requests, each as "METHOD URL" or "METHOD URL body".
func (f *fakeAPI) sent() (lines []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, req := range f.requests {
		lines = append(lines, strings.TrimSpace(req.method+" "+req.url+" "+req.body))
	}
	return lines
}

// respondWith returns a fakeAPI that gives the nth request the nth response, and the last
// response to all further requests.
func respondWith(responses ...func() *http.Response) *fakeAPI {
	f := &fakeAPI{}
	f.respond = func(*http.Request) (*http.Response, error) {
		f.mu.Lock()
		n := min(len(f.requests), len(responses))
		f.mu.Unlock()
		return responses[n-1](), nil
	}
	return f
}

// response returns a response with a body and headers, given as "Name: value".
func response(status int, body string, headers ...string) func() *http.Response {
	return func() *http.Response {
		h := http.Header{"Content-Type": {"application/json"}, "Cf-Ray": {"8f00c0ffee-AMS"}}
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			h.Add(name, value)
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	}
}

// failure returns the body of an error of the API.
func failure(code int, message string) string {
	return fmt.Sprintf(`{"success":false,"errors":[{"code":%d,"message":%q}],"messages":[],"result":null}`, code, message)
}

// newClient returns a client that sends to rt and is independent of the environment.
func newClient(t testing.TB, rt http.RoundTripper, opts ...secretsstore.Option) *secretsstore.Client {
	t.Helper()
	client, err := secretsstore.NewClient(append([]secretsstore.Option{
		secretsstore.WithoutEnvironment(),
		secretsstore.WithAPIToken(apiToken),
		secretsstore.WithAccountID(accountID),
		secretsstore.WithBaseURL(baseURL),
		secretsstore.WithHTTPClient(&http.Client{Transport: rt}),
	}, opts...)...)
	require.NoError(t, err)
	return client
}
