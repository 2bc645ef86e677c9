-- An attempt ended without an answer that says whether Mixpanel acted: the batch is unknown, not failed.
--   arg(1) batch · arg(2) attempt · arg(3) why · arg(4) quarantine in ms
-- Returns 1 when recorded, 0 when a newer attempt or a better answer is there.
local batch, attempt, why, quarantine_ms = arg(1), arg(2), arg(3), tonumber(arg(4))
local hash = key('batch:' .. batch)
local b = redis.call('HMGET', hash, 'state', 'attempt', 'kind')
if b[1] ~= 'sending' or b[2] ~= attempt then return 0 end
redis.call('HSET', hash, 'state', 'unknown', 'not_before', now_ms + quarantine_ms)
redis.call('HINCRBY', hash, 'unknown', 1)
redis.call('ZADD', key('work:delayed'), now_ms + quarantine_ms, 'resume/' .. batch)
record_of(members(batch), batch, { 'kind', b[3], 'from', 'submitting', 'to', 'submitting', 'attempt', attempt, 'why', why })
return 1
