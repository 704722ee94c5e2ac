package secretsstore

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultTransportVerifiesTLS(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version uint16
		trusted bool
		wantErr string
	}{
		{name: "TLS 1.3", version: tls.VersionTLS13, trusted: true},
		{name: "TLS 1.2", version: tls.VersionTLS12, trusted: true},
		{name: "TLS 1.1", version: tls.VersionTLS11, trusted: true, wantErr: "protocol version not supported"},
		{name: "a certificate of an unknown authority", version: tls.VersionTLS13, wantErr: "unknown authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, secretBody)
			}))
			srv.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tt.version}
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			srv.StartTLS()
			defer srv.Close()
			transport := newTransport()
			defer transport.CloseIdleConnections()
			if tt.trusted {
				transport.TLSClientConfig.RootCAs = x509.NewCertPool()
				transport.TLSClientConfig.RootCAs.AddCert(srv.Certificate())
			}
			client := newTestClient(t, transport, WithBaseURL(srv.URL), once)
			_, _, err := client.Secrets.Get(t.Context(), "store", "secret")
			if tt.wantErr == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.wantErr)
			assert.NotErrorIs(t, err, ErrOutcomeUnknown)
		})
	}
}
