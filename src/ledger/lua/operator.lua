-- A person decided about a held request.
--   arg(1) request · arg(2) "retry" or "fail" · arg(3) reason
-- Returns {"ok"}, {"absent"} or {"not held", status}.
local id, decision, reason = arg(1), arg(2), arg(3)
local r = redis.call('HMGET', key('request:' .. id), 'status', 'kind', 'regulation', 'disclosure_type', 'batch')
if not r[1] then return { 'absent' } end
if r[1] ~= 'held' then return { 'not held', r[1] } end
-- A batch that is held for lost answers keeps its members for a late answer; this one is no longer its business.
if r[5] then redis.call('LREM', key('batch:' .. r[5] .. ':members'), 1, id) end
if decision == 'retry' then
  local from = requeue(id, main_group(r[2], r[3], r[4]), {}, now_ms)
  record({ 'requests', id, 'kind', r[2], 'from', from, 'to', 'queued', 'why', 'retried by the operator' })
else
  local from = move(id, 'failed', { 'reason', reason })
  record({ 'requests', id, 'kind', r[2], 'from', from, 'to', 'failed', 'why', reason })
end
finish()
return { 'ok' }
