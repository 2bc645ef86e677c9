-- Mixpanel asked for less: no batch of this kind before a time that grows with each such answer in a row.
--   arg(1) kind · arg(2) shortest wait in ms · arg(3) longest wait in ms · arg(4) what Retry-After asked, in ms, or 0 ·
--   arg(5) jitter in thousandths of the wait (0 to 500)
-- Returns the wait in ms.
local kind, least, most, asked, jitter = arg(1), tonumber(arg(2)), tonumber(arg(3)), tonumber(arg(4)), tonumber(arg(5))
-- In a row: a wait that has been over for longer than the longest one has nothing to do with this one.
local last = tonumber(redis.call('HGET', key('holdback'), kind) or '0')
if last + most < now_ms then redis.call('HDEL', key('holdback'), kind .. ':count') end
local n = redis.call('HINCRBY', key('holdback'), kind .. ':count', 1)
local wait = math.min(most, least * 2 ^ math.min(n - 1, 20))
-- What Mixpanel asks for counts, up to a day.
wait = math.max(wait, math.min(asked, 86400000))
wait = math.floor(wait * (1000 + jitter) / 1000)
redis.call('HSET', key('holdback'), kind, now_ms + wait)
return wait
