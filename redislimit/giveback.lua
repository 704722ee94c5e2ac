-- Takes back a ticket that was not used: its place in the queue, or its call.
local state, granted, queue, due = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ticket = ARGV[1]

redis.call('ZREM', queue, ticket)
redis.call('ZREM', due, ticket)
if redis.call('ZREM', granted, ticket) == 1 and redis.call('EXISTS', state) == 1 then
	redis.call('HSET', state, 'newest', redis.call('ZRANGE', granted, -1, -1, 'WITHSCORES')[2] or 0)
end
return 0
