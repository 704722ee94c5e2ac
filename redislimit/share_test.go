package redislimit

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

func down() bool { return false }

func TestShareKeepsItsLimitInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &share{limit: 3, window: time.Minute}
		start := time.Now()
		s.granted("by Redis", start)
		times := make([]int64, 11) // the first is that of Redis
		for i := 1; i <= 10; i++ {
			go func() {
				_, err := s.wait(t.Context(), fmt.Sprint(i), down)
				assert.NoError(t, err)
				times[i] = time.Since(start).Microseconds()
			}()
			synctest.Wait()
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		assert.True(t, slices.IsSorted(times), "%v", times)
		assert.Equal(t, 3, most(times, time.Minute))
		assert.Equal(t, (3 * time.Minute).Microseconds(), times[10])
	})
}

func TestShareRefusesAndGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &share{limit: 1, window: time.Minute}
		_, err := s.wait(t.Context(), "a", down)
		require.NoError(t, err)

		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err = s.wait(short, "b", down)
		assert.Equal(t, &secretsstore.WaitError{Wait: time.Minute}, err)
		assert.Zero(t, time.Since(began))

		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := s.wait(ctx, "c", down)
			assert.ErrorIs(t, err, context.Canceled)
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		_, err = s.wait(t.Context(), "d", down)
		require.NoError(t, err)
		assert.Equal(t, time.Minute, time.Since(began), "its place was given back")
	})
}

func TestShareEndsWhenRedisIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &share{limit: 1, window: time.Minute}
		_, err := s.wait(t.Context(), "a", down)
		require.NoError(t, err)
		again, err := s.wait(t.Context(), "b", func() bool { return true })
		require.NoError(t, err)
		assert.True(t, again, "Redis is asked instead")
		assert.Empty(t, s.calls[1:])
	})
}

func TestShareReportsEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &share{limit: 10, window: time.Minute}
		call := func(ticket string) {
			_, err := s.wait(t.Context(), ticket, down)
			require.NoError(t, err)
		}
		old := func() time.Time { return time.Now().Add(-s.window) }
		call("old")
		time.Sleep(time.Minute)
		call("a")
		call("b")
		first, told1 := s.unreported(old())
		require.Len(t, first, 2)
		assert.Equal(t, "a", first[0].ticket)
		call("c")
		again, told2 := s.unreported(old())
		require.Len(t, again, 3, "what was said and not heard is said again")
		s.reported(told2)
		s.reported(told1) // the answer to the first question comes late
		rest, _ := s.unreported(old())
		assert.Empty(t, rest)
	})
}
