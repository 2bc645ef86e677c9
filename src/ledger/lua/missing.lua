-- A poll said NOT_FOUND. It is believed only after it was said several times over a long time.
--   arg(1) batch · arg(2) tracking id · arg(3) times · arg(4) window in ms · arg(5) ms until the next poll
-- Returns "lost" when it is to be believed, else "wait" (and the next poll is scheduled), or "gone".
local batch, task, times, window_ms, next_ms = arg(1), arg(2), tonumber(arg(3)), tonumber(arg(4)), tonumber(arg(5))
local hash = key('batch:' .. batch)
if redis.call('HGET', hash, 'state') ~= 'accepted' then return 'gone' end
local seen = redis.call('HINCRBY', hash, 'missing:' .. task, 1)
redis.call('HSETNX', hash, 'missing_since:' .. task, now_ms)
local since = tonumber(redis.call('HGET', hash, 'missing_since:' .. task))
if seen == 1 then
  record({ 'kind', redis.call('HGET', hash, 'kind'), 'batch', batch, 'tracking_id', task, 'mixpanel_status', 'NOT_FOUND',
    'why', 'the task was not found; not believed yet' })
end
if seen >= times and now_ms - since >= window_ms then return 'lost' end
redis.call('ZADD', key('work:delayed'), now_ms + next_ms, 'poll/' .. batch .. '/' .. task)
return 'wait'
