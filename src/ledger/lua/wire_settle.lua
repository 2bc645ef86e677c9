-- Records what became of a parcel.
--   arg(1) parcel · arg(2) "off" takes it from the wire, "on" leaves it there until its time is over ·
--   arg(3) arg(4) the first and the last of the entries that are settled, if they stood one after the other when they were
--   read, else "" · arg(5) these entries ·
--   then lists, each with its length first: what to count of these (name, by); refused records (each with the
--   length of its list of fields first); people seen (tag, sealed id or ""); tags whose events are kept longer now ·
--   at last the time until which they are kept
local parcel, first, last, at = arg(1), arg(3), arg(4), 6
local function list(width)
  local n = tonumber(arg(at)) * width
  local values = {}
  for i = 1, n do values[i] = arg(at + i) end
  at = at + n + 1
  return values
end
local counted, refused = list(2), {}
for i = 1, tonumber(arg(at)) do
  at = at + 1
  local fields = {}
  for j = 1, tonumber(arg(at)) do fields[j] = arg(at + j) end
  at = at + #fields
  refused[i] = fields
end
at = at + 1
local seen, kept = list(2), list(1)
local kept_until = arg(at)
local sealed, scores = {}, {}
for i = 1, #seen, 2 do
  if seen[i + 1] ~= '' then
    scores[#scores + 1], scores[#scores + 2] = now_s, seen[i]
    sealed[#sealed + 1], sealed[#sealed + 2] = seen[i], seen[i + 1]
  else
    -- Another id of somebody: seen as well, if it has a profile of its own.
    redis.call('ZADD', key('seen'), 'XX', now_s, seen[i])
  end
end
if #scores > 0 then in_chunks(scores, function(chunk) redis.call('ZADD', key('seen'), unpack(chunk)) end) end
if #sealed > 0 then in_chunks(sealed, function(chunk) redis.call('HSET', key('seen:ids'), unpack(chunk)) end) end
for _, tag in ipairs(kept) do
  if redis.call('EXISTS', key('user:' .. tag)) == 1 then
    redis.call('HSET', key('user:' .. tag), 'events_retained_until', kept_until)
  end
end
-- An array that is not finished is read again by the next reader: what was set aside of it is not set aside twice.
local aside, oldest = key('events:aside'), string.format('%.0f-0', math.max(0, now_ms - retention_s * 1000))
for _, fields in ipairs(refused) do
  local source
  for i = 1, #fields, 2 do if fields[i] == 'source' then source = fields[i + 1] end end
  if redis.call('SADD', aside, source) == 1 then
    redis.call('HINCRBY', key('filter'), 'refused', 1)
    redis.call('XADD', key('events:refused'), 'MINID', '~', oldest, '*', unpack(fields))
  end
end
if #refused > 0 then redis.call('EXPIRE', aside, 604800) end
-- Whether nothing stands before a row of entries, so that all up to its end may go at once: to delete one by one makes
-- Redis look for each. While the last one is there nothing can have come between them, not even on another primary:
-- what a primary adds stands behind all that it has, and one that lacks some of them lacks the last.
local function stands_in_front()
  return first ~= '' and #redis.call('XRANGE', key('events'), '-', '(' .. first, 'COUNT', 1) == 0
    and #redis.call('XRANGE', key('events'), last, last) == 1
end
if arg(5) ~= '' then
  local settled = 0
  if stands_in_front() then
    settled = redis.call('XTRIM', key('events'), 'MINID', last) + redis.call('XDEL', key('events'), last)
  else
    local done = {}
    for id in string.gmatch(arg(5), '%S+') do done[#done + 1] = id end
    in_chunks(done, function(chunk) settled = settled + redis.call('XDEL', key('events'), unpack(chunk)) end)
  end
  -- An outcome that is told again, because the answer to the first time was lost, counts nothing.
  if settled > 0 then
    for i = 1, #counted, 2 do redis.call('HINCRBY', key('filter'), counted[i], counted[i + 1]) end
  end
end
if arg(2) == 'off' then
  redis.call('ZREM', key('wire'), parcel)
  redis.call('UNLINK', key('wire:' .. parcel))
  for _, id in ipairs(redis.call('SMEMBERS', key('waiting:wire'))) do schedule('acknowledge/' .. id, now_ms) end
end
return 1
