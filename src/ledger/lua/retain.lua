-- Asks for the deletion of profiles of people without an event for long.
--   arg(1) s without an event, by the server's clock · arg(2) most profiles a day · arg(3) most in this call
-- Returns {asked for now, overdue and left, asked for today}.
local since, most, chunk = now_s - tonumber(arg(1)), tonumber(arg(2)), tonumber(arg(3))
local today = key('retention:' .. string.sub(now, 1, 10))
local so_far = tonumber(redis.call('GET', today) or '0')
local room = math.max(0, math.min(chunk, most - so_far))
local tags = room > 0 and redis.call('ZRANGEBYSCORE', key('seen'), '-inf', since, 'LIMIT', 0, room) or {}
local asked = {}
for _, tag in ipairs(tags) do
  -- Nobody's data is erased before the copy that they asked for is safe.
  if not first_open(tag, 'retrieval') then asked[#asked + 1] = tag end
end
tags = asked
for _, tag in ipairs(tags) do
  local sealed = redis.call('HGET', key('seen:ids'), tag)
  if sealed then redis.call('XADD', key('events'), '*', 'profile_deletion', sealed, 'tag', tag) end
  redis.call('ZREM', key('seen'), tag)
  redis.call('HDEL', key('seen:ids'), tag)
end
if #tags > 0 then
  redis.call('INCRBY', today, #tags)
  redis.call('EXPIRE', today, 172800)
  in_chunks(tags, function(some)
    record({ 'kind', 'profile_retention', 'to', 'asked', 'why', 'no event since ' .. iso(since), 'tags', table.concat(some, ' ') })
  end)
end
return { #tags, redis.call('ZCOUNT', key('seen'), '-inf', since), so_far + #tags }
