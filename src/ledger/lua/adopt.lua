-- Mixpanel refused a deletion batch because some ids have a live deletion task (409): those requests follow that
-- task, the others go back to be sent without them.
--   arg(1) batch · arg(2) attempt · arg(3) first poll in ms · arg(4) ms until the rest may be sent ·
--   arg(5) number of tasks, then the tasks · number of requests that all their ids conflict, then those ·
--   number of requests that only some of their ids conflict, then those (sent again after the task has ended, as is
--   each of the former that needs a task of its own)
-- Returns 1, or 0 when the batch is not at that attempt.
local batch, attempt, first_poll_ms, wait_ms = arg(1), arg(2), tonumber(arg(3)), tonumber(arg(4))
local hash = key('batch:' .. batch)
local b = redis.call('HMGET', hash, 'state', 'attempt', 'kind', 'regulation', 'disclosure_type', 'group')
if (b[1] ~= 'sending' and b[1] ~= 'unknown') or b[2] ~= attempt then return 0 end

local at = 5
local function take()
  local list, n = {}, tonumber(arg(at))
  for i = 1, n do list[i] = arg(at + i) end
  at = at + n + 1
  return list
end
local tasks, whole, part, done_with_it = take(), take(), take(), {}
-- Who opted in between two deletions may have sent events that a task of before does not erase.
for _, id in ipairs(whole) do
  if redis.call('HEXISTS', key('request:' .. id), 'own_task') == 1 then part[#part + 1] = id
  else done_with_it[#done_with_it + 1] = id end
end
local adopted = {}

local function follow(ids, afterwards)
  if #ids == 0 then return end
  local child = 'b' .. redis.call('INCR', key('batches:last'))
  local child_hash = key('batch:' .. child)
  redis.call('HSET', child_hash, 'state', 'accepted', 'group', b[6], 'kind', b[3], 'regulation', b[4], 'disclosure_type', b[5],
    'requests', #ids, 'attempt', 0, 'unknown', 0, 'tracking_ids', table.concat(tasks, ' '), 'needs', 'all', 'then', afterwards,
    'parent', batch, 'sealed_at', now, 'accepted_at', now, 'accepted_ms', now_ms)
  redis.call('SADD', key('batches'), child)
  for _, task in ipairs(tasks) do
    redis.call('HSET', child_hash, 'task:' .. task, 'PENDING')
    schedule('poll/' .. child .. '/' .. task, now_ms + first_poll_ms)
  end
  local moved = {}
  for _, id in ipairs(ids) do
    adopted[id] = true
    redis.call('RPUSH', key('batch:' .. child .. ':members'), id)
    note_move(moved, move(id, 'submitted', { 'batch', child, 'tracking_id', tasks[1], 'mixpanel_status', 'PENDING' }), id)
  end
  record_moves(moved, { 'kind', b[3], 'to', 'submitted', 'batch', child, 'tracking_id', tasks[1],
    'why', 'Mixpanel has a live deletion task for these ids already: following it' })
end

local all = members(batch)
follow(done_with_it, 'complete')
follow(part, 'requeue')
local moved = {}
for _, id in ipairs(all) do
  if not adopted[id] then note_move(moved, requeue(id, b[6], {}, now_ms + wait_ms), id) end
end
record_moves(moved, { 'kind', b[3], 'to', 'queued', 'batch', batch, 'why', 'refused because of other ids in the batch; sent again without them' })
close_batch(batch, 'split')
finish()
return 1
