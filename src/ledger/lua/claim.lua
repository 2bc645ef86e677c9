-- Decides what is to be done about a batch whose answer is missing, and claims its next attempt if it may be sent.
--   arg(1) batch · arg(2) lease of an attempt in ms · arg(3) quarantine of an unknown answer in ms ·
--   arg(4) unknown answers that may be repeated (the budget) · arg(5) "send" once the caller holds a slot, else "look"
-- Returns {"gone"}, {"wait", ms}, {"due"} (get a slot, then call again with "send"),
-- {"held"}, or {"send", attempt, id, sealed ids, …}.
local batch, lease_ms, quarantine_ms, budget, mode = arg(1), tonumber(arg(2)), tonumber(arg(3)), tonumber(arg(4)), arg(5)
local hash = key('batch:' .. batch)
local b = redis.call('HMGET', hash, 'state', 'lease_until', 'attempt', 'unknown', 'not_before', 'kind')
local state, attempt, unknown = b[1], tonumber(b[3] or '0'), tonumber(b[4] or '0')
if state ~= 'sending' and state ~= 'unknown' then return { 'gone' } end

if state == 'sending' then
  local left = tonumber(b[2]) - now_ms
  if left > 0 then
    schedule('resume/' .. batch, now_ms + left)
    return { 'wait', left }
  end
  -- Nobody recorded an answer within the lease: the replica died, or lost Redis, between intent and outcome.
  unknown = unknown + 1
  redis.call('HSET', hash, 'state', 'unknown', 'unknown', unknown, 'not_before', now_ms + quarantine_ms)
  record_of(members(batch), batch, { 'kind', b[6], 'from', 'submitting', 'to', 'submitting', 'attempt', attempt,
    'why', 'no answer was recorded: the attempt may or may not have reached Mixpanel' })
  schedule('resume/' .. batch, now_ms + quarantine_ms)
  return { 'wait', quarantine_ms }
end

local left = tonumber(b[5] or '0') - now_ms
if left > 0 then
  schedule('resume/' .. batch, now_ms + left)
  return { 'wait', left }
end

if unknown > budget then
  local moved, why = {}, 'the answers to ' .. unknown .. ' attempts were lost: look in Mixpanel, then retry or fail'
  for _, id in ipairs(members(batch)) do note_move(moved, move(id, 'held', { 'reason', why }), id) end
  record_moves(moved, { 'kind', b[6], 'to', 'held', 'why', why }, batch)
  -- Kept with its members: if the answer turns up after all, it is merged.
  redis.call('HSET', hash, 'state', 'held')
  redis.call('EXPIRE', hash, retention_s)
  redis.call('EXPIRE', key('batch:' .. batch .. ':members'), retention_s)
  redis.call('SREM', key('batches'), batch)
  finish()
  return { 'held' }
end
if mode ~= 'send' then return { 'due' } end

attempt = attempt + 1
redis.call('HSET', hash, 'state', 'sending', 'attempt', attempt, 'lease_until', now_ms + lease_ms)
schedule('resume/' .. batch, now_ms + lease_ms)
local reply, ids = { 'send', attempt }, members(batch)
for _, id in ipairs(ids) do redis.call('HINCRBY', key('request:' .. id), 'attempts', 1) end
append_sealed(reply, ids)
record_of(ids, batch, { 'kind', b[6], 'from', 'submitting', 'to', 'submitting', 'attempt', attempt,
  'why', 'sent again: the answer to the attempt before was lost' })
return reply
