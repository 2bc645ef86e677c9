-- An attempt was claimed, and it is certain that it was not sent: the batch waits for its next attempt, and no answer
-- counts as lost.
--   arg(1) batch · arg(2) attempt · arg(3) why · arg(4) wait in ms
-- Returns 1 when recorded, 0 when the batch is past that attempt.
local batch, attempt, why, wait_ms = arg(1), arg(2), arg(3), tonumber(arg(4))
local hash = key('batch:' .. batch)
local b = redis.call('HMGET', hash, 'state', 'attempt', 'kind')
if b[1] ~= 'sending' or b[2] ~= attempt then return 0 end
redis.call('HSET', hash, 'state', 'unknown', 'not_before', now_ms + wait_ms)
redis.call('ZADD', key('work:delayed'), now_ms + wait_ms, 'resume/' .. batch)
record_of(members(batch), batch, { 'kind', b[3], 'from', 'submitting', 'to', 'submitting', 'attempt', attempt, 'why', why })
return 1
