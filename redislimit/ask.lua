-- Asks for leave to make one call: it is granted, told how long to wait, or refused.
--
-- granted holds the calls of the last window by the time they were granted, queue
-- the callers that wait by the order in which they came, due the same callers by
-- the time they were told. Only what is counted in granted makes the limit hold;
-- queue and due say in which order and when to come back.
local state, granted, queue, due = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ticket = ARGV[1]
local limit, window, grace, keep = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local room = tonumber(ARGV[6]) -- the longest wait that makes sense, in µs; below 0: any
local fresh = ARGV[7] == '1'   -- no record means that nothing was used
local known, turned = ARGV[8], tonumber(ARGV[9]) -- what the caller remembers of the last window
-- from ARGV[10] on, in pairs: calls that were made without Redis, and how long ago

local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]

-- Where INFO may not be used, a restart is known by what is missing.
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''

local s = redis.call('HMGET', state, 'generation', 'turn', 'now', 'full_until', 'newest', 'run', 'trusted',
	'crowded_until')
local generation, turn, seen = s[1], tonumber(s[2] or 0), tonumber(s[3] or 0)
local full_until, newest, trusted = tonumber(s[4] or 0), tonumber(s[5] or 0), s[7] == '1'
local crowded_until = tonumber(s[8] or 0)

-- The clock may be set back; time as it is counted here only ever goes on.
local now = math.max(clock, seen)

local lost = ''
if not generation then
	lost = 'no record'
elseif run ~= '' and s[6] and s[6] ~= '' and run ~= s[6] then
	lost = 'another server, or a restart'
elseif known == generation and turn < turned then
	lost = 'an older record'
elseif trusted and known ~= '' and known ~= generation then
	lost = 'a new record'
elseif newest > now - window and redis.call('EXISTS', granted) == 0 then
	lost = 'half a record'
elseif seen - clock > window then
	lost = 'a clock that was set back'
end
if lost ~= '' then
	redis.call('DEL', state, granted, queue, due)
	trusted = fresh and known == '' and lost == 'no record'
	generation, turn, newest, now = ticket, 0, 0, clock
	crowded_until = 0
	if trusted then
		full_until, lost = 0, ''
	else
		full_until = now + window
	end
end

for i = 10, #ARGV, 2 do
	local at = now - tonumber(ARGV[i + 1])
	redis.call('ZADD', granted, 'NX', at, ARGV[i])
	newest = math.max(newest, at)
end
redis.call('ZREMRANGEBYSCORE', granted, '-inf', now - window)

-- A caller that did not come back in time will not come; one that is here will.
local rank = redis.call('ZRANK', queue, ticket)
if rank then
	redis.call('ZADD', due, now, ticket)
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', '(' .. string.format('%.0f', now - grace))) do
	redis.call('ZREM', due, gone)
	redis.call('ZREM', queue, gone)
end
if redis.call('ZCARD', queue) ~= redis.call('ZCARD', due) then
	redis.call('DEL', queue, due)
end
rank = redis.call('ZRANK', queue, ticket)

-- The call that is the limit's length ahead of this one makes room for it, a window
-- later. Where that one still waits, so does the one before it.
local used, ahead = redis.call('ZCARD', granted), rank or redis.call('ZCARD', queue)
local windows = math.floor(ahead / limit)
local index = used + ahead - (windows + 1) * limit
local slot = math.max(now, full_until)
if index >= 0 then
	slot = math.max(slot, tonumber(redis.call('ZRANGE', granted, index, index, 'WITHSCORES')[2]) + window)
end
slot = slot + windows * window
-- Where calls have to wait, those that come are spread over nine tenths of a window.
-- Otherwise the fastest callers would take all of it, each time it begins.
if not rank and now < crowded_until then
	local before = redis.call('ZRANGE', due, -1, -1, 'WITHSCORES')[2] or newest
	slot = math.max(slot, before + math.floor(window * 9 / 10 / limit))
end

local verdict -- 1 is granted, 0 told to wait, -1 refused
if redis.call('ZSCORE', granted, ticket) then
	verdict = 1 -- the answer to this question was lost on its way
elseif slot <= now then
	verdict = 1
	newest = math.max(newest, now)
	redis.call('ZADD', granted, now, ticket)
	redis.call('ZREM', queue, ticket)
	redis.call('ZREM', due, ticket)
elseif room >= 0 and slot - clock > room then
	verdict = -1
	redis.call('ZREM', queue, ticket)
	redis.call('ZREM', due, ticket)
else
	verdict = 0
	if not rank then
		redis.call('ZADD', queue, turn + 1, ticket)
	end
	redis.call('ZADD', due, slot, ticket)
	crowded_until = math.max(crowded_until, slot + window)
end
if verdict ~= -1 then
	turn = turn + 1
end

redis.call('HSET', state, 'generation', generation, 'turn', turn, 'now', now, 'full_until', full_until,
	'newest', newest, 'run', run ~= '' and run or s[6] or '', 'trusted', trusted and '1' or '0', 'crowded_until', crowded_until)
redis.call('PEXPIRE', state, math.ceil(keep / 1000))
-- A second more than is needed: these go by the clock, which is not quite now.
redis.call('PEXPIRE', granted, math.ceil((now - clock + window) / 1000) + 1000)
local last = redis.call('ZRANGE', due, -1, -1, 'WITHSCORES')[2]
if last then
	local stay = math.ceil((last - clock + grace) / 1000) + 1000
	redis.call('PEXPIRE', queue, stay)
	redis.call('PEXPIRE', due, stay)
end
return {verdict, slot - clock, now, generation, turn, lost}
