package conformance

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	patch, list := map[string]float64{}, map[string]float64{}
	for _, c := range benchClients(t, "https://secretsstore.invalid", cannedTransport{}) {
		patch[c.name] = allocations(t, c.patch)
		list[c.name] = allocations(t, c.list)
	}
	t.Logf("patch: %v, list: %v", patch, list)
	assert.LessOrEqual(t, patch["secretsstore"], patch["net-http"])
	assert.LessOrEqual(t, patch["secretsstore"], 0.35*patch["cloudflare-go"])
	assert.LessOrEqual(t, list["secretsstore"], 1.02*list["net-http"])
}

func allocations(t *testing.T, call func(context.Context) error) float64 {
	return testing.AllocsPerRun(100, func() {
		if err := call(t.Context()); err != nil {
			panic(err)
		}
	})
}

func TestStrippedSize(t *testing.T) {
	size := func(program string) float64 {
		binary := filepath.Join(t.TempDir(), program)
		out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, "./testdata/minimal/"+program).CombinedOutput()
		require.NoError(t, err, "%s", out)
		info, err := os.Stat(binary)
		require.NoError(t, err)
		return float64(info.Size())
	}
	ratio := size("secretsstore") / size("net-http")
	t.Logf("%.3f times the size of a program without the library", ratio)
	assert.LessOrEqual(t, ratio, 1.10)
}

// A body that net/http does not know to be in memory is sent in a packet of its own.
func TestRequestIsOneWrite(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(cannedSecret))
	}))
	defer srv.Close()
	var writes atomic.Int64
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return countingConn{conn, &writes}, err
	}}
	defer transport.CloseIdleConnections()
	for _, c := range benchClients(t, srv.URL, transport) {
		if c.name == "secretsstore" {
			require.NoError(t, c.patch(t.Context()))
		}
	}
	assert.EqualValues(t, 1, writes.Load())
}

// A countingConn counts writes.
type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}
