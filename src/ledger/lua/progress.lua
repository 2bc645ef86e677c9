-- What a poll saw of a task that has not ended, or that has ended while the batch needs others, too.
--   arg(1) batch · arg(2) tracking id · arg(3) Mixpanel's word · arg(4) ms until the next poll, or "" for none
-- Returns 1, or 0 when the batch is over.
local batch, task, word, next_ms = arg(1), arg(2), arg(3), arg(4)
local hash = key('batch:' .. batch)
local b = redis.call('HMGET', hash, 'state', 'kind', 'task:' .. task)
if b[1] ~= 'accepted' then return 0 end
redis.call('HINCRBY', hash, 'polls', 1)
if next_ms ~= '' then redis.call('ZADD', key('work:delayed'), now_ms + tonumber(next_ms), 'poll/' .. batch .. '/' .. task) end
if b[3] ~= word then
  redis.call('HSET', hash, 'task:' .. task, word, 'mixpanel_status', word)
  for _, id in ipairs(members(batch)) do
    redis.call('HSET', key('request:' .. id), 'mixpanel_status', word, 'updated_at', now)
  end
  record({ 'kind', b[2], 'batch', batch, 'tracking_id', task, 'mixpanel_status', word, 'why', 'task status' })
end
return 1
