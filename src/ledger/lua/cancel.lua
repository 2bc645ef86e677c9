-- Decides a cancellation as far as that needs no call.
--   arg(1) cancellation · arg(2) ms that an unknown target may still turn up in
-- Returns {"done"}, {"wait"} (ask again soon), or {"call", batch, tracking id} (the task may be cancelled at Mixpanel).
local id, patience_ms = arg(1), tonumber(arg(2))
local c = redis.call('HMGET', key('request:' .. id), 'status', 'request_id', 'received_at', 'updated_at', 'waiting_since')
local target = c[2]
if c[1] ~= 'queued' or not target then return { 'done' } end

local function refuse(why, tell_target)
  local from = move(id, 'failed', { 'reason', why })
  record({ 'requests', id, 'kind', 'cancellation', 'from', from, 'to', 'failed', 'why', why })
  if tell_target then
    redis.call('HSET', key('request:' .. target), 'reason', 'cancellation ' .. id .. ' was refused: ' .. why, 'updated_at', now)
    record({ 'requests', target, 'why', 'cancellation ' .. id .. ' was refused: ' .. why })
  end
  finish()
  return { 'done' }
end

local t = redis.call('HMGET', key('request:' .. target), 'kind', 'status', 'batch', 'mixpanel_status', 'tags')
local kind, status = t[1], t[2]
if not status then
  if not c[5] then redis.call('HSET', key('request:' .. id), 'waiting_since', now_ms); return { 'wait' } end
  if now_ms - tonumber(c[5]) < patience_ms then return { 'wait' } end
  return refuse('there is no request ' .. target)
end
if kind ~= 'retrieval' and kind ~= 'deletion' then return refuse('only a retrieval or a deletion can be cancelled, ' .. target .. ' is neither') end
if status == 'cancelled' then
  local from = move(id, 'completed', {})
  record({ 'requests', id, 'kind', 'cancellation', 'from', from, 'to', 'completed', 'why', target .. ' is cancelled already' })
  finish()
  return { 'done' }
end
if not OPEN[status] then return refuse(target .. ' is ' .. status .. ' already', false) end

if status == 'queued' then
  leave_queue(target)
  local why = 'cancelled by ' .. id
  local from = move(target, 'cancelled', { 'reason', why })
  record({ 'requests', target, 'kind', kind, 'from', from, 'to', 'cancelled', 'why', why })
  from = move(id, 'completed', {})
  record({ 'requests', id, 'kind', 'cancellation', 'from', from, 'to', 'completed', 'why', target .. ' left before it was sent' })
  finish()
  return { 'done' }
end
if status == 'submitting' then return { 'wait' } end
if status == 'packaging' then return refuse('the export of ' .. target .. ' is being packaged', true) end
if status == 'held' then return refuse(target .. ' is held: an operator decides with retry or fail', true) end
if kind == 'retrieval' then return refuse('Mixpanel has no way to cancel a retrieval once it was submitted', true) end
if t[4] == 'STARTED' or t[4] == 'SUCCESS' then return refuse('Mixpanel has started the deletion', true) end

-- The task holds a whole batch: it may go only when everybody in it asked for that.
local hash = key('batch:' .. t[3])
redis.call('HSET', key('request:' .. target), 'cancel_asked', id)
for _, member in ipairs(members(t[3])) do
  if redis.call('HEXISTS', key('request:' .. member), 'cancel_asked') == 0 then
    return refuse('the task was submitted for other requests, too, that are not cancelled', true)
  end
end
local b = redis.call('HMGET', hash, 'state', 'tracking_ids', 'needs')
if b[1] ~= 'accepted' then return { 'wait' } end
if b[3] == 'all' then
  redis.call('HDEL', key('request:' .. target), 'cancel_asked')
  return refuse('the task was not started by this service', true)
end
return { 'call', t[3], b[2] }
