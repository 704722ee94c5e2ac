package secretsstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/internal/roundtrip"
)

// newTransport returns the transport of a client without [WithHTTPClient]. It differs from
// http.DefaultTransport in what suits a client of one host: more idle connections, and
// pings that detect a silent HTTP/2 connection within 20 s.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: checkProxy,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 10 * time.Second},
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    128,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// A proxyError is a proxy's refusal to connect to the API.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	if e.status == http.StatusProxyAuthRequired {
		return "the proxy requires authentication: check the user and password in HTTPS_PROXY"
	}
	return fmt.Sprintf("the proxy refused the connection with status %s", statusText(e.status))
}

func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{resp.StatusCode}
}

// isRefused reports whether err means that nothing was sent and that another attempt would
// fail too.
func isRefused(err error) bool {
	var proxy *proxyError
	return roundtrip.IsCertificateError(err) || errors.As(err, &proxy) && proxy.status == http.StatusProxyAuthRequired
}
