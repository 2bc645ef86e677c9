-- The archive of a completed request is not in the store, although its time is not over.
--   arg(1) request · arg(2) what is to be known about that
-- Returns 1 when that is news, else 0.
local id, note = arg(1), arg(2)
local request = key('request:' .. id)
if redis.call('HGET', request, 'status') ~= 'completed' then return 0 end
if redis.call('HSETNX', request, 'archive_missing_since', now) == 0 then return 0 end
redis.call('HSET', request, 'reason', note)
count('archives.missing', 1)
record({ 'requests', id, 'kind', 'retrieval', 'from', 'completed', 'to', 'completed', 'why', note })
finish()
return 1
