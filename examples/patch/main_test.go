package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPatchInMemory(t *testing.T) {
	t.Setenv("CLOUDFLARE_API_TOKEN", "")
	t.Setenv("CLOUDFLARE_API_KEY", "")
	var out strings.Builder
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Contains(t, out.String(), `before: MY_API_KEY, scopes [workers], comment ""`)
	assert.Contains(t, out.String(), `after:  MY_API_KEY, scopes [ai_gateway workers], comment "info about my secret"`)
	assert.Contains(t, out.String(), "status 200, ray ")
}
