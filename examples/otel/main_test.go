package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestRun(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithRateLimit(1200, 5*time.Minute))
	defer srv.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out strings.Builder
	done := make(chan error, 1)
	go func() { done <- run(ctx, &out, srv, ln) }()
	resp, err := http.Get("http://" + ln.Addr().String() + "/metrics") // is served after the patch
	require.NoError(t, err)
	defer resp.Body.Close()
	metrics, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	cancel()
	require.NoError(t, <-done)

	const route = "/accounts/{account_id}/secrets_store/stores/{store_id}/secrets/{secret_id}"
	assert.Regexp(t, `^PATCH \Q`+route+`\E \(client, [12][.\d]*s, status Unset\)
(?:  .*\n)+    PATCH \(client, .*, status Error\)
(?:      .*\n)+    PATCH \(client, .*, status Unset\)
(?:      .*\n)+
Metrics: http://`, out.String())
	assert.Contains(t, out.String(), "http.request.resend_count=1")
	for _, line := range []string{
		`secretsstore_call_duration_seconds_count{http_request_method="PATCH",http_response_status_code="200",server_address="api.cloudflare.com",url_template="` + route + `"} 1`,
		`http_client_request_duration_seconds_count{error_type="429",http_request_method="PATCH",http_response_status_code="429",server_address="api.cloudflare.com",url_template="` + route + `"} 1`,
		`http_client_request_duration_seconds_count{http_request_method="PATCH",http_response_status_code="200",server_address="api.cloudflare.com",url_template="` + route + `"} 1`,
		`secretsstore_wait_duration_seconds_count{http_request_method="PATCH",server_address="api.cloudflare.com",url_template="` + route + `"} 1`,
		`secretsstore_retries_total{http_request_method="PATCH",server_address="api.cloudflare.com",url_template="` + route + `"} 1`,
		`secretsstore_rate_limit_remaining{server_address="api.cloudflare.com"} 1199`,
	} {
		assert.Contains(t, string(metrics), line)
	}
	stores, _, err := srv.Client().Stores.List(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, stores, 1)
	for what, secret := range map[string]string{
		"account id": srv.AccountID, "store id": stores[0].ID, "secret id": srv.Secrets(stores[0].ID)[0].ID, "token": srv.APIToken,
		"store name": "production", "secret name": "MY_API_KEY", "old value": "old-value", "new value": "new-value",
	} {
		assert.NotContains(t, out.String()+string(metrics), secret, what)
	}
}
