package conformance

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/canned"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/peers"
)

func BenchmarkPatchFromMemory(b *testing.B) {
	for _, name := range peers.Names {
		b.Run(name, func(b *testing.B) {
			peer := peers.New(name, canned.BaseURL, canned.New(0))
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, peer.Patch(context.Background(), "rotated by the nightly job"))
			}
		})
	}
}

func BenchmarkListFromMemory(b *testing.B) {
	for _, name := range peers.Names {
		b.Run(name, func(b *testing.B) {
			peer := peers.New(name, canned.BaseURL, canned.New(99))
			b.ReportAllocs()
			for b.Loop() {
				n, err := peer.List(context.Background())
				require.NoError(b, err)
				require.Equal(b, 99, n)
			}
		})
	}
}
