-- Moves what is due from a sorted set to a stream, at most 500 members, earliest first.
-- KEYS 1 sorted set of members by due time in Unix milliseconds, 2 stream
-- ARGV none; the server's clock decides what is due
-- Returns {how many were moved, milliseconds until the next one is due or -1 if none is left}.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local upto = string.format('%.0f', now)
local due = redis.call('ZRANGE', KEYS[1], '-inf', upto, 'BYSCORE', 'LIMIT', 0, 500)
for _, member in ipairs(due) do
  -- In this order and one by one: a refused XADD (out of memory) leaves the rest in the set.
  redis.call('XADD', KEYS[2], '*', 'job', member)
  redis.call('ZREM', KEYS[1], member)
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if #first == 0 then
  return {#due, -1}
end
return {#due, math.max(0, math.ceil(tonumber(first[2]) - now))}
