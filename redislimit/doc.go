// Package redislimit shares a rate limit among the processes that use the same Redis. It
// implements [secretsstore.Limiter] with github.com/go-redis/redis_rate.
//
//	// concurrency is the number of requests that all processes make at a time.
//	limiter, err := redislimit.New(rdb, "cloudflare", 1200-concurrency, 5*time.Minute)
//	if err != nil {
//		return err
//	}
//	client, err := secretsstore.NewClient(secretsstore.WithLimiter(limiter))
//
// # When it is needed
//
// The API allows 1,200 requests in 5 minutes per user, or per account-owned token, and then
// responds with 429 for up to 5 minutes. Without a shared limit, each client reads from the
// headers of its responses how many requests remain. This number includes the requests of
// other processes, but not those that they send at the same moment, and a new process has no
// number before its first response. A few long-lived processes exceed the limit by a few
// requests. A fleet of many or short-lived processes needs a Limiter.
//
// The number of responses with status 429 per window, measured with a limit of 1,200 requests
// per 30 s, an API that responds after 100 ms, and processes that send as many requests as
// possible:
//
//	                                                   alone  with a Limiter
//	 8 processes, each with 1 request at a time            7               0
//	32 processes, each with 1 request at a time           31               0
//	32 processes, each with 8 requests at a time         248               0
//	the same, with one process replaced every second     480               0
//
// # Which limit
//
// A request that is granted in one window can arrive at the API in the next. Therefore,
// subtract the number of requests that the fleet makes at a time, both waiting and in flight,
// from 1,200: for 32 processes with 8 requests each, pass 1,200 - 256. Also subtract requests
// that do not go through the limiter, such as those of a dashboard with the same user.
//
// # What it does
//
// At most limit requests are granted in any interval of length window. After a pause, a burst
// is granted at once (see [WithBurst]); all other requests are granted at a constant rate of
// limit-burst per window. Redis measures the time, so the clocks of the processes do not
// matter.
//
// Wait makes one round trip to Redis, and there is no polling. The reply either reserves a
// time for the request, until which Wait waits locally, or refuses the request because that
// time is after its deadline. Only the context bounds the wait: the MaxWait of
// [secretsstore.RetryPolicy] does not apply to limiters.
//
// While Redis returns an error or does not reply, Wait returns an error, unless
// [WithFallback] is used. The options of the Redis client determine how long Wait takes to
// return that error. Wait returns when its context ends, even if Redis does not reply.
// Commands that are in flight then continue in the background until the ReadTimeout of
// go-redis, at most PoolSize at a time.
//
// # What it does not promise
//
//   - If Redis loses its data, the limit can be exceeded once, by at most a burst plus the
//     requests that wait at that moment. Turn appendonly on, and set maxmemory-policy to
//     noeviction. A failover to a replica that lags loses data too.
//   - A request whose context ends, or whose process is killed, while it waits still counts
//     against the limit. In the last row of the table above, that was a quarter of the limit.
//   - Processes that use a different limit, window or burst with the same key can exceed the
//     limit.
//   - With [WithFallback], processes that can reach Redis get the whole limit while processes
//     that cannot reach it use their shares, so together they can exceed it. Each switch
//     between Redis and the shares can exceed it by one request per process plus the requests
//     that wait at that moment. The use of the fallback is not logged: observe errors with
//     the hooks of go-redis.
//   - If the clock of Redis jumps forward, requests are granted that much earlier. If it jumps
//     back, they are granted that much later.
//
// # Measured
//
// On a machine with 2 cores and redis-server 7.0, 8 processes of 16 goroutines shared a
// limit of 1,200 requests per 30 s for 4 windows:
//
//   - At most 1,200 requests were granted in any window.
//   - 96.2 % of the limit was used.
//   - The process with the most requests made 5 % more than the one with the fewest.
//   - Redis ran 1.001 scripts per request.
//
// After Redis was killed and started again, in 3 windows, at most 1,200 requests were made in
// any window with appendonly, and 1,323 without. The longest pause was 36 ms, since requests
// that have been granted do not need Redis.
//
// A Wait that did not have to wait took 0.10 ms. If Redis did not reply, Wait returned within
// 3 ms of the end of its context. To repeat this, run the tests with -v and REDISLIMIT_LONG=1
// in the environment, and BenchmarkWait.
package redislimit
