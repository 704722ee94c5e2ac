package secretsstore

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server that always has another page is not read for ever.
func TestAllEndsSomeTime(t *testing.T) {
	pages := 0
	fetch := func(page, perPage int) ([]*Secret, *Response, error) {
		pages++
		secrets := make([]*Secret, perPage)
		for i := range secrets {
			secrets[i] = &Secret{ID: strconv.Itoa(page) + "-" + strconv.Itoa(i)}
		}
		return secrets, &Response{}, nil
	}
	var last error
	for _, err := range allPages(5, 2, fetch) {
		require.NoError(t, last)
		last = err
	}
	require.ErrorIs(t, last, ErrInvalidResponse)
	require.ErrorContains(t, last, "more than 100000 pages")
	assert.Equal(t, 100_000, pages)
}
