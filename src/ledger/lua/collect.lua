-- The export of a retrieval batch is ready: its requests are being packaged from here on.
--   arg(1) batch · arg(2) tracking id · arg(3) the export's link, sealed
-- Called again with a fresh link while the batch is collecting, it replaces the link. Returns 1, or 0 when the batch is over.
local batch, task, link = arg(1), arg(2), arg(3)
local hash = key('batch:' .. batch)
local b = redis.call('HMGET', hash, 'state', 'kind')
if b[1] == 'accepted' then
  redis.call('HSET', hash, 'state', 'collecting', 'task:' .. task, 'SUCCESS', 'mixpanel_status', 'SUCCESS')
  local moved = {}
  for _, id in ipairs(members(batch)) do
    note_move(moved, move(id, 'packaging', { 'mixpanel_status', 'SUCCESS' }), id)
  end
  record_moves(moved, { 'kind', b[2], 'to', 'packaging', 'why', 'the export is ready', 'tracking_id', task }, batch)
elseif b[1] ~= 'collecting' then
  return 0
end
redis.call('HSET', hash, 'link', link, 'collected_task', task)
-- The archive's entries carry this time: it must be the same however often the batch is packaged.
redis.call('HSETNX', hash, 'exported_ms', now_ms)
schedule('collect/' .. batch, now_ms)
finish()
return 1
