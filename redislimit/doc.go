// Package redislimit is a rate limit that all processes of a fleet share, on the
// Redis that they share: a [secretsstore.Limiter] for [secretsstore.WithLimiter].
//
//	limiter := redislimit.New(rdb, "cloudflare", 1200-64, 5*time.Minute)
//	client, err := secretsstore.NewClient(secretsstore.WithLimiter(limiter))
//
// The API's limit is 1,200 requests in 5 minutes per user or token, and who goes
// past it is blocked for up to 5 minutes. A client by itself keeps to what the
// API's headers say, which is enough for a few processes. Many of them learn too
// late what the others have used.
//
// # What holds
//
// In any span of time as long as the window, wherever it begins, at most limit calls
// are granted: not in each window of a row, as a counter with an expiry does, where
// twice the limit fits around the border. Time is that of Redis, so that the
// clocks of the processes don't matter. The window is kept 1 % longer than it was
// asked for, which is room for calls that take unequally long from the grant to the
// API, 3 s in 5 minutes.
//
// It can happen that a call is later than that. If the limit may not be passed
// whatever happens, leave away as many calls as the fleet has in flight at most:
// what the API counts in a window was either granted in that window, or was in
// flight when it began. That is where the 64 above comes from.
//
// A call that need not wait is one round trip. One that must wait is told how
// long, and asks again when that is over: two round trips, and no polling between
// them. Calls are granted in the order in which they first asked. Who gives up
// gives its place back, and who is killed loses it, a tenth of a window or a second
// after it would have been its turn, whichever is longer.
//
// Up to the limit calls go as fast as they come. Once some have had to wait, those
// of the next window are spread over nine tenths of it, so that slow processes get
// as much as fast ones. That ends a window after the last wait.
//
// # When Redis restarts
//
// A Redis that lost its data, or a part of it, can't know what was used in the last
// window. So the window starts full, and the next call is granted a window later.
// Nobody gets through before: who was told to wait asks again when its time has
// come, and is then behind that too. The record is not relied on when
//
//   - there is none, unless [WithFreshStart] says otherwise,
//   - it was written in another run of a server, or by another server: a restart
//     may have loaded an old snapshot, and a replica that takes over may not have
//     all that its master knew,
//   - it is older than what a process remembers, or only half there.
//
// The very first call of a key waits a window for the same reason. The record is
// kept for 30 days after its last use; the calls of the last window, at most limit
// of them, are kept until they are of no window any more.
//
// While Redis can't be asked, Wait fails, or goes on with a share of the limit as
// [WithFallback] says. It is said in the log once for each outage; see [WithLogger].
// go-redis writes to a log of its own, which redis.SetLogger is for.
//
// # What can't hold
//
//   - With [WithFallback] there is nobody who counts for all. Between the moment when
//     Redis can't be asked and that when all processes ask it again, there may be
//     up to twice the limit, where some process had used more than its share before,
//     or where only some of them can't reach Redis.
//   - Two servers that both take themselves for the master, during a failover with a
//     network that is cut in two, each grant the limit. Redis' own answer to that is
//     min-replicas-to-write.
//   - If the clock of the Redis server is set forward, time is over earlier by as much.
//     One that is set back only makes calls wait.
//   - With [WithFreshStart], if somebody deletes the keys and then a process asks first
//     that has not asked within the last window.
//
// # Why not redis_rate
//
// github.com/go-redis/redis_rate is well kept, and limits by GCRA: it holds one time
// for each key, and lets a burst go as well as what refills meanwhile. After a time
// without calls, a limit of 1,200 in 5 minutes lets 1,200 go at once and one more each
// quarter of a second: nearly 2,400 in the first 5 minutes. With half the limit it
// would hold, at half the speed. It also has no order, since who is refused has to
// come back by itself, and a Redis without data is one where nothing was used.
package redislimit
