// Package redislimit shares a rate limit among the processes that use the same Redis. It
// implements [secretsstore.Limiter] with github.com/go-redis/redis_rate.
//
//	limiter, err := redislimit.New(rdb, "cloudflare", 1200-concurrency, 5*time.Minute)
//	if err != nil {
//		return err
//	}
//	client, err := secretsstore.NewClient(secretsstore.WithLimiter(limiter))
//
// # When it is needed
//
// The API allows 1,200 requests in 5 minutes per user or token, and then responds with 429
// for up to 5 minutes. Without a shared limit, each client reads from the headers of its
// responses how many requests remain. That includes the requests of other processes, but
// not those that they send at the same moment, and a new process knows nothing before its
// first response. A few long-lived processes exceed the limit by a few requests. A fleet of
// many or short-lived processes needs a Limiter.
//
// The number of responses with status 429 per window, measured with a limit of 1,200 requests
// per 30 s, an API that responds after 100 ms, and processes that send as many requests as
// possible:
//
//	                                                    alone  with a Limiter
//	 8 processes, each with 1 call at a time                7               0
//	32 processes, each with 1 call at a time               31               0
//	32 processes, each with 8 calls at a time             248               0
//	the same, with one process replaced every second      480               0
//
// # Which limit
//
// Pass 1,200 minus the number of calls that the fleet makes at a time: those that wait and
// those that are in flight. With 32 processes of 8 calls that is 1,200 - 256. The API counts
// a request when it arrives. In any window it counts what was granted in that window, and
// what was in flight when the window began. Requests that do not go through the limiter,
// such as those of a dashboard with the same user, reduce the limit too.
//
// # What it does
//
// At most limit calls are granted in any window, wherever it begins. After a pause, a burst
// is granted at once (see [WithBurst]); all other calls are granted at an even pace of
// limit-burst per window. The time is that of Redis, so the clocks of the processes do not
// matter.
//
// A call makes one round trip to Redis. The reply either reserves a turn, for which Wait
// waits locally, or refuses the call because its turn comes after the deadline. Nothing
// polls. Only the context bounds the wait: the MaxWait of [secretsstore.RetryPolicy] does
// not apply to limiters.
//
// While Redis returns an error or does not reply, Wait returns an error, unless
// [WithFallback] is used. The options of the Redis client decide how long that takes. Wait
// returns when its context ends, also if Redis hangs. What go-redis has begun by then goes
// on in the background until its ReadTimeout, for at most PoolSize calls.
//
// # What it does not promise
//
//   - A Redis that loses its data does not know the calls of the last window. That costs
//     once at most a burst, and the calls that wait at that moment. Turn appendonly on, and
//     set maxmemory-policy to noeviction. A failover to a replica that lags loses data too.
//   - The turn of a call is used up if its context ends or its process is killed while it
//     waits. In the last row of the table above, that was a quarter of the limit.
//   - Processes with a different limit, window or burst for the same key break the limit.
//   - With [WithFallback], processes that can reach Redis get the whole limit while those
//     that cannot use their shares. The change from Redis to the shares, and back, can cost
//     one call per process and the calls that wait at that moment. The use of the fallback
//     is not logged: observe errors with the hooks of go-redis.
//   - If the clock of Redis is set forward, calls are granted earlier by as much. If it is
//     set back, they wait longer.
//
// # Measured
//
// On a machine with 2 cores and redis-server 7.0, 8 processes of 16 goroutines shared a
// limit of 1,200 calls per 30 s for 4 windows:
//
//   - At most 1,200 calls were granted in any window.
//   - 96.2 % of the limit was used.
//   - The process with the most calls made 5 % more than the one with the fewest.
//   - Redis ran 1.001 scripts per call.
//   - After Redis was killed and started again, at most 1,200 calls were made in any window
//     with appendonly, and 1,323 without. The longest pause was 36 ms, since calls that
//     have a turn do not need Redis.
//
// A call that need not wait took 0.10 ms. If Redis hung, Wait returned within 3 ms of the end
// of its context.
package redislimit
