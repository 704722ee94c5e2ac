package secretsstoretest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// watchedBody notices that it was closed.
type watchedBody struct {
	io.Reader
	closed int
}

func (b *watchedBody) Close() error { b.closed++; return nil }

func TestTransportClosesTheBody(t *testing.T) {
	srv := seeded(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name   string
		ctx    context.Context
		url    string
		body   io.Reader
		fault  *secretsstoretest.Fault
		status int
		err    string
	}{
		{"of an answer", t.Context(), "https://any.example" + secretPath, strings.NewReader(patched), nil, 200, ""},
		{"of an error", t.Context(), "https://any.example/", strings.NewReader(patched), nil, 404, ""},
		{"when it can't be read", t.Context(), "https://any.example" + secretPath, iotest.ErrReader(errors.New("broken")), nil, 0, "broken"},
		{"when the context has ended", cancelled, "https://any.example" + secretPath, strings.NewReader(patched), nil, 0, "context canceled"},
		{"when the connection is cut", t.Context(), "https://any.example" + secretPath, strings.NewReader(patched),
			&secretsstoretest.Fault{Count: 1, Cut: secretsstoretest.CutBeforeRequest}, 0, "read tcp: read: connection reset by peer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.fault != nil {
				srv.Inject(*tt.fault)
			}
			body := &watchedBody{Reader: tt.body}
			req, err := http.NewRequestWithContext(tt.ctx, "PATCH", tt.url, body)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+token)
			res, err := srv.Transport().RoundTrip(req)
			assert.Equal(t, 1, body.closed)
			if tt.err != "" {
				assert.EqualError(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.status, res.StatusCode)
		})
	}
	t.Run("when there is no URL", func(t *testing.T) {
		body := &watchedBody{Reader: strings.NewReader("")}
		_, err := srv.Transport().RoundTrip(&http.Request{Body: body})
		assert.Error(t, err)
		assert.Equal(t, 1, body.closed)
	})
	t.Run("when there is no header and no method", func(t *testing.T) {
		req, err := http.NewRequest("", "https://any.example"+secretPath, nil)
		require.NoError(t, err)
		req.Method, req.Header = "", nil
		res, err := srv.Transport().RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 400, res.StatusCode)
		assert.Nil(t, req.Header)
		assert.Empty(t, req.Method)
	})
}

func TestTransportAnswersLikeNetHTTP(t *testing.T) {
	srv := seeded(t)
	req, err := http.NewRequest("GET", "https://any.example"+secretPath, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := srv.Transport().RoundTrip(req)
	require.NoError(t, err)
	assert.Equal(t, "200 OK", res.Status)
	assert.Equal(t, "HTTP/1.1", res.Proto)
	assert.Same(t, req, res.Request)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, success(theSecret, ""), string(body))
	assert.EqualValues(t, len(success(theSecret, "")), res.ContentLength)

	require.NoError(t, res.Body.Close())
	_, err = res.Body.Read(make([]byte, 1))
	assert.ErrorIs(t, err, http.ErrBodyReadAfterClose)

	head, err := http.NewRequest("HEAD", "https://any.example"+secretPath, nil)
	require.NoError(t, err)
	res, err = srv.Transport().RoundTrip(head)
	require.NoError(t, err)
	assert.Equal(t, 405, res.StatusCode)
	body, err = io.ReadAll(res.Body)
	assert.NoError(t, err)
	assert.Empty(t, body)
}

func TestTransportBodyEndsWithTheContext(t *testing.T) {
	srv := seeded(t)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", "https://any.example"+secretPath, nil)
	require.NoError(t, err)
	res, err := srv.Transport().RoundTrip(req)
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(res.Body)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestTransportWorksInABubbleThatIsNotItsOwn(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener(), secretsstoretest.WithRateLimit(1, time.Minute))
	srv.Inject(secretsstoretest.Fault{Latency: time.Second})
	synctest.Test(t, func(t *testing.T) {
		hc := &http.Client{Transport: srv.Transport(), Timeout: 2 * time.Second}
		get := func() error {
			res, err := hc.Get(srv.URL)
			if err == nil {
				err = res.Body.Close()
			}
			return err
		}
		start := time.Now()
		require.NoError(t, get())
		assert.Equal(t, time.Second, time.Since(start))

		srv.Inject(secretsstoretest.Fault{Latency: time.Hour})
		hc.Timeout = time.Millisecond
		assert.ErrorIs(t, get(), context.DeadlineExceeded)
		assert.Equal(t, time.Second+time.Millisecond, time.Since(start))
	})
}

func TestTransportFollowsRedirectsOfAClient(t *testing.T) {
	srv := seeded(t)
	srv.Inject(secretsstoretest.Fault{Count: 1, RedirectTo: "https://elsewhere.example" + secretPath})
	req, err := http.NewRequest("PATCH", "https://any.example"+secretPath, strings.NewReader(patched))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := (&http.Client{Transport: srv.Transport()}).Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Len(t, srv.Requests(), 2)
	assert.Equal(t, patched, srv.Requests()[1].Body, "the body is sent again")
	assert.Equal(t, 400, res.StatusCode, "net/http leaves the credentials behind")
}
