// Package faultproxy puts real faults between a client and a server on loopback:
// proxies that delay, cut and silence connections, and a server that can be
// stopped and started at one address.
package faultproxy

import (
	"bytes"
	"encoding/json"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// Toxic is one of toxiproxy's: what happens to the bytes that pass.
type Toxic struct {
	Type   string `json:"type"`
	Stream string `json:"stream"` // "upstream" are the requests, "downstream" the answers
	// Toxicity is the share of the connections that it is for, 0 or 1.
	Toxicity   float32          `json:"toxicity"`
	Attributes map[string]int64 `json:"attributes"`
}

// The directions of a Toxic.
const (
	Requests = "upstream"
	Answers  = "downstream"
)

// Latency delays what passes by so many milliseconds.
func Latency(stream string, ms int64) Toxic {
	return Toxic{"latency", stream, 1, map[string]int64{"latency": ms}}
}

// Bandwidth lets so many KB pass in a second.
func Bandwidth(stream string, kb int64) Toxic {
	return Toxic{"bandwidth", stream, 1, map[string]int64{"rate": kb}}
}

// Limit closes a connection after so many bytes.
func Limit(stream string, n int) Toxic {
	return Toxic{"limit_data", stream, 1, map[string]int64{"bytes": int64(n)}}
}

// Reset resets a connection instead of letting the first bytes pass.
func Reset(stream string) Toxic {
	return Toxic{"reset_peer", stream, 1, map[string]int64{"timeout": 0}}
}

// Abrupt has every end of a connection be a reset: the toxic itself is for none of
// the connections, but toxiproxy prepares the sockets of all.
func Abrupt() Toxic {
	return Toxic{"reset_peer", Requests, 0, map[string]int64{"timeout": 0}}
}

// SlowClose passes on the end of a connection so many milliseconds later.
func SlowClose(stream string, ms int64) Toxic {
	return Toxic{"slow_close", stream, 1, map[string]int64{"delay": ms}}
}

// Slices passes on packets of about so many bytes.
func Slices(stream string, size int64) Toxic {
	return Toxic{"slicer", stream, 1, map[string]int64{"average_size": size}}
}

// Proxy is toxiproxy in front of a server, with the same toxics for all connections.
type Proxy struct {
	Addr  string
	proxy *toxiproxy.Proxy
}

// Start starts a proxy in front of the server at the address upstream. It stops with
// the test, or before.
func Start(t testing.TB, upstream string, toxics ...Toxic) *Proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", upstream)
	for _, toxic := range toxics {
		text, err := json.Marshal(toxic)
		require.NoError(t, err)
		_, err = proxy.Toxics.AddToxicJson(bytes.NewReader(text))
		require.NoError(t, err)
	}
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	return &Proxy{Addr: proxy.Listen, proxy: proxy}
}

// Stop stops listening and closes the connections. Stopping twice is stopping once.
func (p *Proxy) Stop() { p.proxy.Stop() }
