package secretsstore

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Go's own defaults may change; these are ours.
func TestDefaultTransport(t *testing.T) {
	tr := newTransport()
	assert.GreaterOrEqual(t, tr.TLSClientConfig.MinVersion, uint16(tls.VersionTLS12))
	assert.False(t, tr.TLSClientConfig.InsecureSkipVerify)
	assert.Positive(t, tr.HTTP2.SendPingTimeout)
	assert.Less(t, tr.HTTP2.SendPingTimeout+tr.HTTP2.PingTimeout, 30*time.Second, "a silent connection is noticed within an attempt")
	assert.GreaterOrEqual(t, tr.MaxIdleConnsPerHost, 64)
	assert.NotZero(t, tr.IdleConnTimeout)
	assert.NotZero(t, tr.TLSHandshakeTimeout)
	assert.NotSame(t, tr, newTransport(), "clients share no connections")
}
