-- Mixpanel answered a cancellation call.
--   arg(1) cancellation · arg(2) batch · arg(3) "1" revoked, "0" refused · arg(4) why
-- Returns 1, or 0 when nothing was left to do.
local id, batch, revoked, why = arg(1), arg(2), arg(3) == '1', arg(4)
local target = redis.call('HGET', key('request:' .. id), 'request_id')
if not revoked then
  local from = move(id, 'failed', { 'reason', why })
  if not from then finish(); return 0 end
  record({ 'requests', id, 'kind', 'cancellation', 'from', from, 'to', 'failed', 'why', why, 'batch', batch })
  if target and OPEN[redis.call('HGET', key('request:' .. target), 'status') or ''] then
    redis.call('HDEL', key('request:' .. target), 'cancel_asked')
    redis.call('HSET', key('request:' .. target), 'reason', 'cancellation ' .. id .. ' was refused: ' .. why, 'updated_at', now)
    record({ 'requests', target, 'why', 'cancellation ' .. id .. ' was refused: ' .. why })
  end
  finish()
  return 1
end
local hash = key('batch:' .. batch)
if redis.call('HGET', hash, 'state') ~= 'accepted' then
  -- A poll was faster: the cancellation is decided by what became of its target.
  schedule('cancel/' .. id, now_ms)
  return 0
end
local moved = {}
for _, member in ipairs(members(batch)) do
  local asked = redis.call('HGET', key('request:' .. member), 'cancel_asked')
  note_move(moved, move(member, 'cancelled', { 'reason', 'cancelled by ' .. (asked or id), 'mixpanel_status', 'REVOKED' }), member)
end
record_moves(moved, { 'kind', 'deletion', 'to', 'cancelled', 'batch', batch, 'why', why })
local from = move(id, 'completed', {})
if from then record({ 'requests', id, 'kind', 'cancellation', 'from', from, 'to', 'completed', 'batch', batch, 'why', why }) end
close_batch(batch, 'revoked')
finish()
return 1
