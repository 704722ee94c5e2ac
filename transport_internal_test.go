package secretsstore

import (
	"bytes"
	"crypto/tls"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// What a Response keeps is not much more than what came.
func TestBodiesHoldNoRoom(t *testing.T) {
	for _, size := range []int{0, 300, 2047, 2048, 2049, 3000, 10_000, 60_000, 1_000_000} {
		for _, length := range []int64{-1, int64(size)} {
			b, err := readBody(io.NopCloser(bytes.NewReader(make([]byte, size))), length)
			require.NoError(t, err)
			assert.Len(t, b, size)
			assert.LessOrEqual(t, cap(b), 2*size+usualBody)
		}
	}
}
