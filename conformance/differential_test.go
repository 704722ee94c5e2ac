package conformance

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudflare/cloudflare-go/v7/option"
	cf "github.com/cloudflare/cloudflare-go/v7/secrets_store"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/calls"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/compare"
)

// everywhere says what is not the same in any two requests, and why. A name that
// ends in "*" is the start of several.
var everywhere = map[string]string{
	"header User-Agent":   "each says who it is",
	"header X-Stainless*": "theirs tells the user's system, processor and Go version, and counts attempts; the API asks for none of it",
}

func reasonFor(field string, of map[string]string) string {
	if reason := of[field]; reason != "" {
		return reason
	}
	for start, reason := range of {
		if start, ok := strings.CutSuffix(start, "*"); ok && strings.HasPrefix(field, start) {
			return reason
		}
	}
	return ""
}

// unexplained are the differences that no table has a reason for.
func unexplained(differences []compare.Difference, call calls.Call) (left []compare.Difference) {
	for _, d := range differences {
		if cmp.Or(reasonFor(d.Field, call.Differs), reasonFor(d.Field, everywhere)) == "" {
			left = append(left, d)
		}
	}
	return left
}

// The same calls through cloudflare-go and through ours say the same on the wire;
// where they don't, the tables say why.
func TestSameOnTheWireAsCloudflareGo(t *testing.T) {
	operations := map[string]bool{}
	for _, call := range calls.All() {
		operations[call.Operation] = true
		for kind, credentials := range map[string]func(*calls.World) calls.Credentials{"token": (*calls.World).Token, "key": (*calls.World).Key} {
			t.Run(call.Name+", with a "+kind, func(t *testing.T) {
				ours := newWorld(t, nil)
				require.NoError(t, call.Ours(t.Context(), ours.Ours(credentials(ours), nil), ours))
				theirs := newWorld(t, nil)
				err := call.Theirs(t.Context(), theirs.Theirs(credentials(theirs)), theirs)
				require.Equal(t, call.TheyFail, err != nil, err)

				differences := compare.Requests(ours.Recorder.Take(), theirs.Recorder.Take())
				assert.Empty(t, unexplained(differences, call))
				for field := range call.Differs {
					assert.Condition(t, func() bool {
						for _, d := range differences {
							if d.Field == field {
								return true
							}
						}
						return false
					}, "the table says that %s differs, and it doesn't any more", field)
				}
			})
		}
	}
	assert.Len(t, operations, 12)
}

// host is a transport to several hosts, which has no network.
type host struct {
	requests map[string][]sentRequest // by host
	answer   func(*http.Request) (status int, header http.Header, body string)
}

type sentRequest struct {
	method, path, query string
	header              http.Header
	body                string
}

func (h *host) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := sentRequest{method: r.Method, path: r.URL.EscapedPath(), query: r.URL.RawQuery, header: r.Header.Clone()}
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		sent.body = string(b)
		_ = r.Body.Close()
	}
	if h.requests == nil {
		h.requests = map[string][]sentRequest{}
	}
	h.requests[r.URL.Host] = append(h.requests[r.URL.Host], sent)
	status, header, body := h.answer(r)
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

const (
	apiHost   = "api.example.com"
	apiURL    = "https://" + apiHost + "/client/v4"
	account   = "985e105f4ecef8ad9ca31a8372d0c353"
	aStore    = "023e105f4ecef8ad9ca31a8372d0c353"
	aSecret   = "3fd85f74b32742f1bff64a85009dda07"
	theValue  = "the-value-that-is-to-be-kept"
	theToken  = "the-token-that-is-to-be-kept"
	theKey    = "the-key-that-is-to-be-kept"
	failed    = `{"success":false,"errors":[{"code":1001,"message":"secret_not_found"}],"messages":[],"result":null}`
	succeeded = `{"success":true,"errors":[],"messages":[],"result":{"id":"x"}}`
)

// oursOver and theirsOver are the two clients as their users make them: with what
// they do by default, but for the transport.
func oursOver(t *testing.T, h *host, cred calls.Credentials) *secretsstore.Client {
	t.Helper()
	sign := secretsstore.WithAPIToken(cred.Token)
	if cred.Token == "" {
		sign = secretsstore.WithAPIKey(cred.Email, cred.Key)
	}
	c, err := secretsstore.NewClient(sign, secretsstore.WithBaseURL(apiURL), secretsstore.WithAccountID(account),
		secretsstore.WithHTTPClient(&http.Client{Transport: h}))
	require.NoError(t, err)
	return c
}

func theirsOver(h *host, cred calls.Credentials) *cf.SecretsStoreService {
	sign := []option.RequestOption{option.WithAPIToken(cred.Token)}
	if cred.Token == "" {
		sign = []option.RequestOption{option.WithAPIEmail(cred.Email), option.WithAPIKey(cred.Key)}
	}
	return cf.NewSecretsStoreService(append(sign, option.WithBaseURL(apiURL), option.WithHTTPClient(&http.Client{Transport: h}))...)
}

func patchOurs(ctx context.Context, c *secretsstore.Client) error {
	_, _, err := c.Secrets.Patch(ctx, aStore, aSecret, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(theValue)})
	return err
}

func patchTheirs(ctx context.Context, c *cf.SecretsStoreService) (*cf.StoreSecretEditResponse, error) {
	var p cf.StoreSecretEditParams
	calls.Set(&p.AccountID.Value, &p.AccountID.Present, account)
	calls.Set(&p.Value.Value, &p.Value.Present, theValue)
	return c.Stores.Secrets.Edit(ctx, aStore, aSecret, p)
}

func answering(status int, body string) *host {
	return &host{answer: func(*http.Request) (int, http.Header, string) { return status, nil, body }}
}

// What theirs does and ours does not. A fact that is no longer true of theirs fails
// here too, and then belongs out of the documentation.
func TestTheirsTakesAFailureForASuccess(t *testing.T) {
	secret, err := patchTheirs(t.Context(), theirsOver(answering(200, failed), calls.Credentials{Token: theToken}))
	require.NoError(t, err, "theirs")
	assert.Empty(t, secret.ID)

	require.ErrorIs(t, patchOurs(t.Context(), oursOver(t, answering(200, failed), calls.Credentials{Token: theToken})),
		secretsstore.ErrSecretNotFound)
}

func TestTheirsFollowsARedirectWithWhatIsSecret(t *testing.T) {
	key, token := calls.Credentials{Email: "user@example.com", Key: theKey}, calls.Credentials{Token: theToken}
	for name, tc := range map[string]struct {
		cred       calls.Credentials
		to         string
		credential bool // goes along
	}{
		"the key and the value, to any host": {key, "elsewhere.example.net", true},
		// net/http takes Authorization away, which is not theirs to be praised for.
		"the value and not the token, to any host": {token, "elsewhere.example.net", false},
		"the token and the value, to a host below": {token, "sub." + apiHost, true},
		"the token and the value, to any port":     {token, apiHost + ":8443", true},
		"the key and the value, to a host below":   {key, "sub." + apiHost, true},
	} {
		t.Run(name, func(t *testing.T) {
			redirecting := func() *host {
				return &host{answer: func(r *http.Request) (int, http.Header, string) {
					if r.URL.Host == apiHost {
						return 307, http.Header{"Location": {"https://" + tc.to + "/x"}}, ""
					}
					return 200, nil, succeeded
				}}
			}
			theirs := redirecting()
			_, err := patchTheirs(t.Context(), theirsOver(theirs, tc.cred))
			require.NoError(t, err, "theirs")
			require.Len(t, theirs.requests[tc.to], 1)
			leaked := theirs.requests[tc.to][0]
			assert.Contains(t, leaked.body, theValue)
			assert.Equal(t, tc.credential, leaked.header.Get("Authorization") != "" || leaked.header.Get("X-Auth-Key") != "")

			ours := redirecting()
			err = patchOurs(t.Context(), oursOver(t, ours, tc.cred))
			var apiErr *secretsstore.APIError
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, 307, apiErr.StatusCode)
			assert.Len(t, ours.requests, 1)
			assert.Len(t, ours.requests[apiHost], 1)
		})
	}
}

func TestTheirsLetsAnIDLeadElsewhere(t *testing.T) {
	const id = "../../../../user/tokens"
	theirs := answering(200, succeeded)
	var p cf.StoreGetParams
	calls.Set(&p.AccountID.Value, &p.AccountID.Present, account)
	_, err := theirsOver(theirs, calls.Credentials{Token: theToken}).Stores.Get(t.Context(), id, p)
	require.NoError(t, err, "theirs")
	require.Len(t, theirs.requests[apiHost], 1)
	assert.Equal(t, "/client/v4/user/tokens", theirs.requests[apiHost][0].path)

	// The same with a query: what was to delete a secret deletes its store.
	theirs = answering(200, succeeded)
	var d cf.StoreSecretDeleteParams
	calls.Set(&d.AccountID.Value, &d.AccountID.Present, account)
	_, err = theirsOver(theirs, calls.Credentials{Token: theToken}).Stores.Secrets.Delete(t.Context(), aStore, "../../"+aStore+"?force=true", d)
	require.NoError(t, err, "theirs")
	require.Len(t, theirs.requests[apiHost], 1)
	assert.Equal(t, "DELETE", theirs.requests[apiHost][0].method)
	assert.Equal(t, "/client/v4/accounts/"+account+"/secrets_store/stores/"+aStore, theirs.requests[apiHost][0].path)
	assert.Equal(t, "force=true", theirs.requests[apiHost][0].query)

	ours := answering(200, succeeded)
	c := oursOver(t, ours, calls.Credentials{Token: theToken})
	_, _, err = c.Stores.Get(t.Context(), id)
	require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
	_, err = c.Secrets.Delete(t.Context(), aStore, "../../"+aStore+"?force=true")
	require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
	assert.Empty(t, ours.requests)
}

func TestTheirsDeletesManyWithoutSayingWhich(t *testing.T) {
	theirs := answering(200, succeeded)
	var p cf.StoreSecretBulkDeleteParams
	calls.Set(&p.AccountID.Value, &p.AccountID.Present, account)
	_, err := theirsOver(theirs, calls.Credentials{Token: theToken}).Stores.Secrets.BulkDelete(t.Context(), aStore, p)
	require.NoError(t, err, "theirs")
	require.Len(t, theirs.requests[apiHost], 1)
	assert.Equal(t, "DELETE", theirs.requests[apiHost][0].method)
	assert.Empty(t, theirs.requests[apiHost][0].body)

	ours := answering(202, succeeded)
	_, err = oursOver(t, ours, calls.Credentials{Token: theToken}).Secrets.BulkDelete(t.Context(), aStore, nil)
	require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
	assert.Empty(t, ours.requests)
}

// A creation that was answered with 502 may have been done.
func TestTheirsMakesASecretTwice(t *testing.T) {
	unavailable := func() *host {
		return &host{answer: func(*http.Request) (int, http.Header, string) {
			return 502, http.Header{"Retry-After": {"0"}}, failed
		}}
	}
	theirs := unavailable()
	var p cf.StoreNewParams
	calls.Set(&p.AccountID.Value, &p.AccountID.Present, account)
	calls.Set(&p.Name.Value, &p.Name.Present, "s")
	_, err := theirsOver(theirs, calls.Credentials{Token: theToken}).Stores.New(t.Context(), p)
	require.Error(t, err, "theirs")
	assert.Len(t, theirs.requests[apiHost], 3)

	ours := unavailable()
	_, _, err = oursOver(t, ours, calls.Credentials{Token: theToken}).Stores.Create(t.Context(), secretsstore.StoreCreate{Name: "s"})
	require.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
	assert.Len(t, ours.requests[apiHost], 1)
}
