package secretsstoretest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestTransportRejectsRequestsThatCannotBeSent(t *testing.T) {
	e := newEmulator(t)
	canceled, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("shutting down")
	cancel(cause)

	_, err := e.transport.RoundTrip(e.request(t, get, "").WithContext(canceled))
	assert.ErrorIs(t, err, cause)
	_, err = e.transport.RoundTrip(&http.Request{})
	assert.EqualError(t, err, "secretsstoretest: the request has no URL")
	r := e.request(t, get, "")
	r.URL.Opaque = "no path"
	_, err = e.transport.RoundTrip(r)
	assert.ErrorContains(t, err, "secretsstoretest: the request's URL is invalid")
	assert.Empty(t, e.Requests())
}

// closeRecorder reports whether a body was closed.
type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

func TestTransportClosesTheRequestBody(t *testing.T) {
	e := newEmulator(t)
	for _, headers := range []string{"Authorization: Bearer " + token, "none"} {
		body := &closeRecorder{Reader: strings.NewReader(patched)}
		r := e.request(t, patch, "", headers)
		r.Body = body
		_, err := e.try(r)
		require.NoError(t, err)
		assert.True(t, body.closed)
	}
}

func TestTransportEndsTheBodyWithItsContext(t *testing.T) {
	e := newEmulator(t)
	ctx, cancel := context.WithCancel(t.Context())
	res, err := e.transport.RoundTrip(e.request(t, get, "").WithContext(ctx))
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(res.Body)
	assert.ErrorIs(t, err, context.Canceled)
	assert.NoError(t, res.Body.Close())
}

func TestResponsesAreTheSameOverASocket(t *testing.T) {
	requests := []string{get, list, "HEAD /quota", "GET /nowhere", "GET /stores/a%20b", "OPTIONS /stores", remove}
	var all [2][]*http.Response
	for i, e := range []*emulator{newEmulator(t), newListening(t)} {
		e.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpDeleteSecret, Status: 204, Apply: true})
		for _, request := range requests {
			res, err := e.transport.RoundTrip(e.request(t, request, ""))
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			assert.Equal(t, request == "HEAD /quota" || request == remove, len(body) == 0, request)
			res.Header.Del("Date")
			res.Header.Del("Connection")
			all[i] = append(all[i], res)
		}
	}
	for i, request := range requests {
		over, socket := all[0][i], all[1][i]
		assert.Equal(t, socket.Status, over.Status, request)
		assert.Equal(t, socket.Header, over.Header, request)
		assert.Equal(t, socket.ContentLength, over.ContentLength, request)
	}
}
