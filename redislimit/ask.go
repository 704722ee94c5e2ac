package redislimit

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed ask.lua
	askSource string
	//go:embed giveback.lua
	giveBackSource string

	askScript      = redis.NewScript(askSource)
	giveBackScript = redis.NewScript(giveBackSource)
)

// verdict is what came of a question.
type verdict int64

const (
	refused verdict = iota - 1
	toWait
	granted
)

// answer is what ask.lua returns.
type answer struct {
	verdict    verdict
	wait       time.Duration // until it makes sense to ask again
	now        int64         // Redis' time, in microseconds
	generation string
	turn       int64
	lost       string // why what Redis knew could not be relied on; "": it could
}

// ask asks Redis for a call. The same ticket is granted once, however often it asks.
func (l *Limiter) ask(ctx context.Context, ticket string) (answer, error) {
	asked := time.Now()
	room := int64(-1)
	if deadline, ok := ctx.Deadline(); ok {
		room = max(0, deadline.Sub(asked).Microseconds())
	}
	generation, turn := l.memory.recall(asked.Add(-l.window))
	args := []any{
		ticket, l.limit, l.window.Microseconds(), grace(l.window).Microseconds(), keep.Microseconds(),
		room, l.fresh, generation, turn,
	}
	calls, reported := l.share.unreported(asked.Add(-l.window))
	for _, c := range calls {
		args = append(args, c.ticket, asked.Sub(c.at).Microseconds())
	}
	a, err := parseAnswer(askScript.Run(ctx, l.rdb, l.keys, args...))
	switch {
	case err == nil:
		l.outage.answered(ctx, l.logger, asked)
		l.share.reported(reported)
		if a.verdict == granted {
			l.share.granted(ticket, time.Now())
		}
		l.memory.learn(a, asked)
		if a.lost != "" && l.logger != nil {
			l.logger.LogAttrs(ctx, slog.LevelWarn, "redislimit: what was used of the limit is not known; taking it as used up",
				slog.String("key", l.keys[0]), slog.String("reason", a.lost), slog.Duration("for", l.window))
		}
	case ended(ctx) == nil:
		l.outage.failed(ctx, l.logger, asked, err, l.share != nil)
	}
	return a, err
}

// giveBack returns what ticket has, or may have, and does not need. It is done
// although ctx has ended; what can't be given back counts as used.
func (l *Limiter) giveBack(ctx context.Context, ticket string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	_ = giveBackScript.Run(ctx, l.rdb, l.keys, ticket).Err()
	l.share.giveBack(ticket)
}

func parseAnswer(cmd *redis.Cmd) (answer, error) {
	items, err := cmd.Slice()
	if err != nil {
		return answer{}, err
	}
	var a answer
	if len(items) == 6 {
		v, ok0 := items[0].(int64)
		wait, ok1 := items[1].(int64)
		now, ok2 := items[2].(int64)
		generation, ok3 := items[3].(string)
		turn, ok4 := items[4].(int64)
		lost, ok5 := items[5].(string)
		if ok0 && ok1 && ok2 && ok3 && ok4 && ok5 {
			a = answer{verdict(v), time.Duration(wait) * time.Microsecond, now, generation, turn, lost}
			return a, nil
		}
	}
	return a, fmt.Errorf("an answer of the wrong shape: %v", items)
}

// grace is how much later than told a caller may come back and still have its
// place in the queue. One that was killed holds it so long.
func grace(window time.Duration) time.Duration { return max(time.Second, window/10) }

// memory is what a Limiter remembers of Redis' record: that it was at a turn of a
// generation. A Redis that knows less has lost something.
type memory struct {
	mu         sync.Mutex
	generation string
	turn       int64
	since      time.Time // when this generation was learnt of
	granted    time.Time // when the last call was granted
}

// recall returns what is remembered, if a call was granted after the time given.
func (m *memory) recall(after time.Time) (generation string, turn int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.granted.After(after) {
		return "", 0
	}
	return m.generation, m.turn
}

// learn takes in an answer. Answers may cross: one of another generation counts
// only where it was asked for after this one was known.
func (m *memory) learn(a answer, asked time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if a.verdict == granted {
		m.granted = now
	}
	switch {
	case a.generation == m.generation:
		m.turn = max(m.turn, a.turn)
	case asked.After(m.since):
		m.generation, m.turn, m.since = a.generation, a.turn, now
	}
}
