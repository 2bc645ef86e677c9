-- Mixpanel answered with a task. True evidence is merged whenever it comes, also for an attempt given up as unknown.
--   arg(1) batch · arg(2) attempt · arg(3) tracking id · arg(4) first poll, in ms from now
-- Returns "accepted", "surplus" (the batch has another task already: both are polled), or "late" (the batch is over).
local batch, attempt, task, first_poll_ms = arg(1), tonumber(arg(2)), arg(3), tonumber(arg(4))
local hash = key('batch:' .. batch)
local b = redis.call('HMGET', hash, 'state', 'tracking_ids', 'attempt', 'unknown', 'kind')
local state, tasks, kind = b[1], b[2] or '', b[5]
if string.find(' ' .. tasks .. ' ', ' ' .. task .. ' ', 1, true) then return 'accepted' end

if state ~= 'sending' and state ~= 'unknown' and state ~= 'held' and state ~= 'accepted' then
  -- Told again, because the answer to the first time was lost: it is in the ledger already.
  if state and redis.call('HSETNX', hash, 'late:' .. task, now) == 0 then return 'late' end
  record({ 'kind', kind, 'batch', batch, 'attempt', attempt, 'tracking_id', task,
    'why', 'a task came to light after the batch was closed' })
  return 'late'
end
redis.call('HSET', hash, 'tracking_ids', tasks == '' and task or tasks .. ' ' .. task, 'task:' .. task, 'PENDING', 'accepted_ms', now_ms)
schedule('poll/' .. batch .. '/' .. task, now_ms + first_poll_ms)
if state == 'accepted' then
  record({ 'kind', kind, 'batch', batch, 'attempt', attempt, 'tracking_id', task, 'why', 'a second task of the batch came to light' })
  return 'surplus'
end
-- Evidence for an earlier attempt while a later one is on the wire: that later one is unknown now.
if state == 'sending' and tonumber(b[3]) ~= attempt then redis.call('HINCRBY', hash, 'unknown', 1) end
redis.call('HSET', hash, 'state', 'accepted', 'accepted_at', now)
-- While it was held it had a time to live.
redis.call('PERSIST', hash)
redis.call('PERSIST', key('batch:' .. batch .. ':members'))
redis.call('SADD', key('batches'), batch)
redis.call('ZREM', key('work:delayed'), 'resume/' .. batch)
redis.call('HDEL', key('holdback'), kind, kind .. ':count')
local moved = {}
for _, id in ipairs(members(batch)) do
  note_move(moved, move(id, 'submitted', { 'tracking_id', task, 'mixpanel_status', 'PENDING' }), id)
end
record_moves(moved, { 'kind', kind, 'to', 'submitted', 'why', 'accepted by Mixpanel', 'attempt', attempt, 'tracking_id', task }, batch)
finish()
return 'accepted'
