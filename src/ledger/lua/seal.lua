-- Drains what waits in one group into a batch and records the intent to send it, in one step.
--   arg(1) group · arg(2) most identifiers · arg(3) lease of the attempt in ms
-- Returns {batch, attempt, id, sealed ids, id, sealed ids, …}, or {} when nothing waits.
local group, most, lease_ms = arg(1), tonumber(arg(2)), tonumber(arg(3))
local open = key('open:' .. group)
-- The job may have been on its way when a 429 asked for less.
local not_before = tonumber(redis.call('HGET', key('holdback'), kind_of(group)) or '0')
if not_before > now_ms then
  schedule('submit/' .. group, not_before)
  return {}
end
local ids, size = {}, 0
-- One person's ids are never split over two batches; ids shared by two requests are counted twice, on the safe side.
for _, id in ipairs(redis.call('ZRANGE', open, 0, most - 1)) do
  local r = redis.call('HMGET', key('request:' .. id), 'distinct_ids', 'status', 'task_ids')
  local n = tonumber(r[3] or r[1] or '0')
  if r[2] ~= 'queued' then
    redis.call('ZREM', open, id)
    count('illegal_moves', 1)
  else
    if size + n > most and #ids > 0 then break end
    ids[#ids + 1] = id
    size = size + n
  end
end
if #ids == 0 then
  if redis.call('ZCARD', open) == 0 then redis.call('SREM', key('groups'), group) end
  finish()
  return {}
end

local kind, regulation, disclosure = string.match(group, '^([^/]+)/([^/]+)/([^/]+)')
local batch = 'b' .. redis.call('INCR', key('batches:last'))
redis.call('HSET', key('batch:' .. batch), 'state', 'sending', 'group', group, 'kind', kind, 'regulation', regulation,
  'disclosure_type', disclosure, 'requests', #ids, 'distinct_ids', size, 'attempt', 1, 'unknown', 0, 'sealed_at', now,
  'lease_until', now_ms + lease_ms)
redis.call('SADD', key('batches'), batch)
schedule('resume/' .. batch, now_ms + lease_ms)

local reply, moved = { batch, 1 }, {}
in_chunks(ids, function(chunk)
  redis.call('ZREM', open, unpack(chunk))
  redis.call('RPUSH', key('batch:' .. batch .. ':members'), unpack(chunk))
end)
for _, id in ipairs(ids) do
  local attempts = tonumber(redis.call('HGET', key('request:' .. id), 'attempts') or '0') + 1
  note_move(moved, move(id, 'submitting', { 'batch', batch, 'attempts', attempts }), id)
end
append_sealed(reply, ids)
record_moves(moved, { 'kind', kind, 'to', 'submitting', 'why', 'sealed into a batch', 'batch', batch, 'attempt', 1 })
-- What is left over waits for company like any other, unless it has waited so long already: in a steady stream each full
-- batch would else be followed by a small one, and those would take the slots in which tasks are polled.
local left = redis.call('ZCARD', open)
if left == 0 then redis.call('SREM', key('groups'), group)
else
  local since = redis.call('HGET', key('request:' .. redis.call('ZRANGE', open, 0, 0)[1]), 'updated_at') or ''
  local is_new = since > iso(now_s - math.floor(linger_ms / 1000))
  schedule_submit(group, left < full[kind] and is_new and now_ms + linger_ms or now_ms)
end
finish()
return reply
