package conformance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/faultproxy"
)

func TestAConnectionThatIsReset(t *testing.T) {
	t.Parallel()
	for _, stage := range []struct {
		name   string
		toxics func(request, answer, header int) []faultproxy.Toxic
		done   bool // the service got the whole request
		answer bool // the header of the answer came
	}{
		{"before the request", func(_, _, _ int) []faultproxy.Toxic {
			return []faultproxy.Toxic{faultproxy.Reset(faultproxy.Requests)}
		}, false, false},
		{"in the middle of the request", func(request, _, _ int) []faultproxy.Toxic {
			return []faultproxy.Toxic{faultproxy.Abrupt(), faultproxy.Limit(faultproxy.Requests, request/2)}
		}, false, false},
		{"after the request", func(_, _, _ int) []faultproxy.Toxic {
			return []faultproxy.Toxic{faultproxy.Reset(faultproxy.Answers)}
		}, true, false},
		{"in the header of the answer", func(_, _, header int) []faultproxy.Toxic {
			return []faultproxy.Toxic{faultproxy.Abrupt(), faultproxy.Limit(faultproxy.Answers, header/2)}
		}, true, false},
		{"in the body of the answer", func(_, answer, header int) []faultproxy.Toxic {
			return []faultproxy.Toxic{faultproxy.Abrupt(), faultproxy.Limit(faultproxy.Answers, (header+answer)/2)}
		}, true, true},
	} {
		t.Run(stage.name, func(t *testing.T) {
			t.Parallel()
			for _, call := range faultyCalls {
				t.Run(call.name, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					toxics := stage.toxics(call.lengths(t, ctx))

					t.Run("is told as what it is", func(t *testing.T) {
						s := startService(t)
						id := s.addSecret("OLD")
						_, resp, err := call.call(ctx, s.client(t, via(faultproxy.Start(t, s.http.Addr, toxics...).Addr)), s.store, id)
						require.Error(t, err)
						assert.Equal(t, 1, attempts(t, err))
						assert.Equal(t, stage.answer, resp != nil)
						assert.Equal(t, stage.answer, errors.Is(err, secretsstore.ErrInvalidResponse))
						assert.Equal(t, call.writes(), errors.Is(err, secretsstore.ErrOutcomeUnknown))
						assert.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF), "%v", err)
						if call.done != nil {
							assert.Equal(t, stage.done, call.done(s, id))
						}
					})
					t.Run("is got over where that is safe", func(t *testing.T) {
						s := startService(t)
						id := s.addSecret("OLD")
						r := via(faultproxy.Start(t, s.http.Addr, toxics...).Addr, s.http.Addr)
						got, resp, err := call.call(ctx, s.client(t, r, tries(4)), s.store, id)
						if !call.repeatable {
							require.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
							assert.Equal(t, 1, attempts(t, err))
							assert.EqualValues(t, 1, r.dials.Load(), "a call that makes something was sent again")
							assert.Equal(t, stage.done, call.done(s, id))
							return
						}
						require.NoError(t, err)
						assert.True(t, call.right(got))
						assert.Equal(t, 2, resp.Attempts)
						assert.EqualValues(t, 2, r.dials.Load())
						if call.done != nil {
							assert.True(t, call.done(s, id))
						}
					})
				})
			}
		})
	}
}

// At each byte the connection ends in order, as when a server is shut down, and not
// with a reset: that is harder to tell from an end that is meant.
func TestAnAnswerThatEndsAtAnyByte(t *testing.T) {
	t.Parallel()
	for _, call := range callsNamed("get", "patch", "create") {
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, answer, header := call.lengths(t, ctx)
			s := startService(t)
			for at := range answer + 1 {
				proxy := faultproxy.Start(t, s.http.Addr, faultproxy.Limit(faultproxy.Answers, at))
				id := s.addSecret("OLD")
				n := 1
				if !call.repeatable {
					n = 4 // makes no difference
				}
				r := via(proxy.Addr)
				got, resp, err := call.call(ctx, s.client(t, r, tries(n)), s.store, id)
				r.http.CloseIdleConnections()
				if at == answer {
					require.NoError(t, err, "all %d bytes came", at)
					require.True(t, call.right(got))
				} else {
					require.Error(t, err, "%d bytes of %d came", at, answer)
					require.Nil(t, got)
					require.Equal(t, 1, attempts(t, err))
					require.EqualValues(t, 1, r.dials.Load())
					require.Equal(t, at >= header, resp != nil, "%d bytes of %d, %d of them header", at, answer, header)
					require.Equal(t, at >= header, errors.Is(err, secretsstore.ErrInvalidResponse), "%d bytes: %v", at, err)
					require.Equal(t, at >= header, resp != nil && errors.Is(err, io.ErrUnexpectedEOF), "%d bytes: %v", at, err)
					require.Equal(t, call.writes(), errors.Is(err, secretsstore.ErrOutcomeUnknown), "%d bytes: %v", at, err)
				}
				if call.repeatable {
					r := via(proxy.Addr, s.http.Addr)
					got, resp, err := call.call(ctx, s.client(t, r, tries(4)), s.store, id)
					r.http.CloseIdleConnections()
					require.NoError(t, err, "%d bytes of %d came of the first answer", at, answer)
					require.True(t, call.right(got))
					require.Equal(t, at < answer, resp.Attempts == 2)
				}
				if call.done != nil {
					require.True(t, call.done(s, id), "%d bytes", at)
				}
				s.reset(t)
				proxy.Stop()
			}
		})
	}
}

func TestAnErrorWhoseAnswerEndsAtAnyByte(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := startService(t)
	const nobody = "ffffffffffffffffffffffffffffffff"
	whole := via()
	whole.tap = new(tap)
	_, _, err := s.client(t, whole).Secrets.Get(ctx, s.store, nobody)
	require.ErrorIs(t, err, secretsstore.ErrSecretNotFound)
	answer := whole.tap.answer
	header := bytes.Index(answer, []byte("\r\n\r\n")) + 4
	for at := range len(answer) + 1 {
		proxy := faultproxy.Start(t, s.http.Addr, faultproxy.Limit(faultproxy.Answers, at))
		r := via(proxy.Addr, s.http.Addr)
		secret, resp, err := s.client(t, r, tries(4)).Secrets.Get(ctx, s.store, nobody)
		r.http.CloseIdleConnections()
		require.Nil(t, secret)
		require.NotNil(t, resp)
		var answered *secretsstore.APIError
		require.ErrorAs(t, err, &answered)
		require.Equal(t, http.StatusNotFound, answered.StatusCode)
		if at < header {
			require.Equal(t, 2, answered.Attempts)
		} else {
			require.Equal(t, 1, answered.Attempts)
		}
		// What was not found is known only from the body. Without it, a gateway may
		// have answered.
		if at < header || at == len(answer) {
			require.ErrorIs(t, err, secretsstore.ErrSecretNotFound, "%d bytes of %d", at, len(answer))
		} else {
			require.ErrorIs(t, err, secretsstore.ErrInvalidRequest, "%d bytes of %d", at, len(answer))
			require.NotErrorIs(t, err, secretsstore.ErrNotFound, "%d bytes of %d", at, len(answer))
		}
		proxy.Stop()
	}
}

func TestARequestThatIsCutAtAnyByte(t *testing.T) {
	t.Parallel()
	for _, call := range callsNamed("patch", "delete", "create") {
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			request, _, _ := call.lengths(t, ctx)
			s := startService(t)
			for at := range request {
				toxics := []faultproxy.Toxic{faultproxy.Limit(faultproxy.Requests, at)}
				if at%2 == 0 {
					toxics = append(toxics, faultproxy.Abrupt())
				}
				proxy := faultproxy.Start(t, s.http.Addr, toxics...)
				r := via(proxy.Addr, s.http.Addr)
				id := s.addSecret("OLD")
				got, resp, err := call.call(ctx, s.client(t, r, tries(4)), s.store, id)
				r.http.CloseIdleConnections()
				if call.repeatable {
					require.NoError(t, err, "%d bytes of %d went", at, request)
					require.True(t, call.right(got))
					require.Equal(t, 2, resp.Attempts, "%d bytes of %d went", at, request)
				} else {
					require.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown, "%d bytes of %d went", at, request)
					require.Equal(t, 1, attempts(t, err))
					require.EqualValues(t, 1, r.dials.Load())
				}
				if call.done != nil {
					require.Equal(t, call.repeatable, call.done(s, id), "%d bytes of %d went", at, request)
				}
				s.reset(t)
				proxy.Stop()
			}
		})
	}
}
