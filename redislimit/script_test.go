package redislimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// model asks by ask.lua with a clock of its own, as several processes do, and
// knows what was granted when.
type model struct {
	t       *testing.T
	rdb     *redis.Client
	ask     *redis.Script
	limit   int
	window  int64
	fresh   bool
	now     int64 // true time, in microseconds
	offset  int64 // of Redis' clock
	grants  []int64
	tickets int
	procs   [3]struct {
		generation string
		turn       int64
		granted    int64
	}
}

// caller is one that waits. It first asked as number ticket.
type caller struct {
	ticket, process int
	due             int64
}

func newModel(t *testing.T, rdb *redis.Client, limit int) *model {
	require.NoError(t, rdb.FlushAll(t.Context()).Err())
	clocked := strings.Replace(askSource, "redis.call('TIME')", "redis.call('HMGET', 'clock', 's', 'us')", 1)
	require.NotEqual(t, askSource, clocked)
	return &model{
		t: t, rdb: rdb, ask: redis.NewScript(clocked), limit: limit, window: time.Minute.Microseconds(),
		now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(),
	}
}

var modelKeys = []string{"{m}", "{m}:granted", "{m}:queue", "{m}:due"}

// try asks once, in the name of c.
func (m *model) try(c *caller, room int64) answer {
	ctx := context.Background()
	p := &m.procs[c.process]
	generation, turn := p.generation, p.turn
	if m.now-p.granted >= m.window {
		generation, turn = "", 0
	}
	clock := m.now + m.offset
	require.NoError(m.t, m.rdb.HSet(ctx, "clock", "s", clock/1e6, "us", clock%1e6).Err())
	fresh := 0
	if m.fresh {
		fresh = 1
	}
	a, err := parseAnswer(m.ask.Run(ctx, m.rdb, modelKeys, fmt.Sprintf("t%d", c.ticket), m.limit, m.window,
		grace(time.Duration(m.window)*time.Microsecond).Microseconds(), keep.Microseconds(), room, fresh, generation, turn))
	require.NoError(m.t, err)
	p.generation, p.turn = a.generation, a.turn
	if a.verdict == granted {
		p.granted = m.now
		m.grants = append(m.grants, m.now)
	}
	c.due = m.now + max(1, a.wait.Microseconds())
	return a
}

func (m *model) newcomer(process int) *caller {
	m.tickets++
	return &caller{ticket: m.tickets, process: process}
}

func (m *model) giveBack(c *caller) {
	require.NoError(m.t, giveBackScript.Run(context.Background(), m.rdb, modelKeys, fmt.Sprintf("t%d", c.ticket)).Err())
}

func (m *model) size(key string) int {
	n, err := m.rdb.ZCard(context.Background(), "{m}:"+key).Result()
	require.NoError(m.t, err)
	return int(n)
}

// TestAskKeepsTheLimit has processes ask, come back late, give up and die, Redis lose
// its data and its clock be set back, all at random.
func TestAskKeepsTheLimit(t *testing.T) {
	rdb := startRedis(t).client()
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		m := newModel(t, rdb, 1+rnd.IntN(6))
		calm := seed%3 == 0 // nothing is lost
		m.fresh = seed%2 == 0 && calm
		var waiting []*caller
		for range 300 {
			switch dice := rnd.IntN(100); {
			case dice < 35: // one more
				c := m.newcomer(rnd.IntN(3))
				room := int64(-1)
				if rnd.IntN(4) == 0 {
					room = rnd.Int64N(2 * m.window)
				}
				a := m.try(c, room)
				if room >= 0 && a.verdict == toWait {
					assert.LessOrEqual(t, a.wait.Microseconds(), room)
				}
				if a.verdict == toWait {
					waiting = append(waiting, c)
				}
			case dice < 75 && len(waiting) > 0: // the next whose time has come, or comes back late
				slices.SortStableFunc(waiting, func(a, b *caller) int { return int(a.due - b.due) })
				c := waiting[0]
				m.now = max(m.now, c.due)
				if rnd.IntN(10) == 0 {
					m.now += rnd.Int64N(m.window / 4)
				}
				if m.try(c, -1).verdict == granted {
					waiting = waiting[1:]
				}
			case dice < 80 && len(waiting) > 0: // gives up
				i := rnd.IntN(len(waiting))
				m.giveBack(waiting[i])
				waiting = slices.Delete(waiting, i, i+1)
			case dice < 83 && len(waiting) > 0: // dies
				i := rnd.IntN(len(waiting))
				waiting = slices.Delete(waiting, i, i+1)
			case dice < 85 && !calm:
				m.offset -= rnd.Int64N(2 * m.window)
			case dice < 86 && !calm:
				require.NoError(t, rdb.FlushAll(t.Context()).Err())
			case dice < 87 && !calm: // evicted
				require.NoError(t, rdb.Del(t.Context(), modelKeys[rnd.IntN(len(modelKeys))]).Err())
			default:
				m.now += rnd.Int64N(m.window / 3)
			}
			require.LessOrEqual(t, most(m.grants, time.Duration(m.window)*time.Microsecond), m.limit, "seed %d", seed)
			require.LessOrEqual(t, m.size("granted"), m.limit, "seed %d", seed)
			if calm {
				require.Equal(t, m.size("queue"), m.size("due"), "seed %d", seed)
			}
		}
		// All who still wait get their call, in twice as many windows as the queue needs, of
		// which the dead are a part: who lost its place asks late.
		end := m.now + m.window*int64(2*(m.size("queue")+len(waiting))/m.limit+6)
		for len(waiting) > 0 {
			slices.SortStableFunc(waiting, func(a, b *caller) int { return int(a.due - b.due) })
			m.now = max(m.now, waiting[0].due)
			require.LessOrEqual(t, m.now, end, "seed %d: %d still wait", seed, len(waiting))
			if m.try(waiting[0], -1).verdict == granted {
				waiting = waiting[1:]
			}
		}
		require.LessOrEqual(t, most(m.grants, time.Duration(m.window)*time.Microsecond), m.limit, "seed %d", seed)
	}
}

func TestAskGrantsInOrder(t *testing.T) {
	m := newModel(t, startRedis(t).client(), 4)
	m.fresh = true
	var waiting []*caller
	var order []int
	for range 30 {
		c := m.newcomer(0)
		if m.try(c, -1).verdict == granted {
			order = append(order, c.ticket)
		} else {
			waiting = append(waiting, c)
		}
		m.now += 1000
	}
	assert.Equal(t, []int{1, 2, 3, 4}, order, "calls that need not wait do not")
	questions := 0
	for len(waiting) > 0 {
		slices.SortStableFunc(waiting, func(a, b *caller) int { return int(a.due - b.due) })
		m.now = max(m.now, waiting[0].due)
		questions++
		if m.try(waiting[0], -1).verdict == granted {
			order = append(order, waiting[0].ticket)
			waiting = waiting[1:]
		}
	}
	assert.True(t, slices.IsSorted(order), "%v", order)
	assert.Equal(t, 26, questions, "who comes back when told need not wait again")
}

func TestAskGrantsATicketOnce(t *testing.T) {
	m := newModel(t, startRedis(t).client(), 2)
	m.fresh = true
	c := m.newcomer(0)
	for range 3 { // the answers were lost on their way
		assert.Equal(t, granted, m.try(c, -1).verdict)
	}
	assert.Equal(t, 1, m.size("granted"))
	waits := m.newcomer(0)
	m.try(m.newcomer(0), -1)
	for range 3 {
		assert.Equal(t, toWait, m.try(waits, -1).verdict)
	}
	assert.Equal(t, 1, m.size("queue"))
}

func TestAskGivesUpOnWhoDoesNotComeBack(t *testing.T) {
	m := newModel(t, startRedis(t).client(), 1)
	m.fresh = true
	require.Equal(t, granted, m.try(m.newcomer(0), -1).verdict)
	killed, second := m.newcomer(1), m.newcomer(2)
	m.try(killed, -1)
	a := m.try(second, -1)
	assert.Equal(t, 2*m.window, a.wait.Microseconds())
	m.now = second.due
	assert.Equal(t, granted, m.try(second, -1).verdict)
	assert.Zero(t, m.size("queue"), "the place of the one that was killed is gone")
}

// What Redis keeps goes away by itself.
func TestAskExpires(t *testing.T) {
	m := newModel(t, startRedis(t).client(), 1)
	m.fresh = true
	m.try(m.newcomer(0), -1)
	m.try(m.newcomer(0), -1)
	ttl := func(key string) time.Duration { return m.rdb.PTTL(context.Background(), key).Val() }
	assert.InDelta(t, keep, ttl("{m}"), float64(time.Minute))
	assert.InDelta(t, time.Minute, ttl("{m}:granted"), float64(10*time.Second))
	for _, key := range []string{"{m}:queue", "{m}:due"} {
		assert.InDelta(t, time.Minute+grace(time.Minute), ttl(key), float64(10*time.Second))
	}
}
