-- A person decided about a held request.
--   arg(1) request · arg(2) "retry", "renew" (a new export even if one is kept) or "fail" · arg(3) reason
-- Returns {"ok"}, {"absent"} or {"not held", status}.
local id, decision, reason = arg(1), arg(2), arg(3)
local r = redis.call('HMGET', key('request:' .. id), 'status', 'kind', 'regulation', 'disclosure_type', 'batch')
if not r[1] then return { 'absent' } end
if r[1] ~= 'held' then return { 'not held', r[1] } end
redis.call('SREM', key('deletions:capped'), id)
-- An export that was kept is collected again, for everybody who is held with it: one person's records can only be told
-- from the others' when all are known.
local hash = r[5] and key('batch:' .. r[5])
if decision == 'retry' and hash and redis.call('HGET', hash, 'again') == 'collect' then
  local batch, moved = r[5], {}
  for _, member in ipairs(members(batch)) do
    local m = redis.call('HMGET', key('request:' .. member), 'status', 'batch')
    if m[1] == 'held' and m[2] == batch then note_move(moved, move(member, 'packaging', {}), member) end
  end
  redis.call('HSET', hash, 'state', 'collecting')
  redis.call('HDEL', hash, 'again', 'collect_failures', 'broken_exports', 'stale_links')
  redis.call('PERSIST', hash)
  redis.call('PERSIST', key('batch:' .. batch .. ':members'))
  redis.call('SADD', key('batches'), batch)
  schedule('collect/' .. batch, now_ms)
  record_moves(moved, { 'kind', r[2], 'to', 'packaging', 'batch', batch, 'why', 'retried by the operator: its export was kept' })
  finish()
  return { 'ok' }
end
-- A batch that is held for lost answers keeps its members for a late answer; this one is no longer its business.
if r[5] then
  redis.call('LREM', key('batch:' .. r[5] .. ':members'), 1, id)
  -- Nor can its export be split any more: this one's ids will not be known, and its records would be another's.
  redis.call('HDEL', hash, 'again')
end
if decision ~= 'fail' then
  local from = requeue(id, main_group(r[2], r[3], r[4]), {}, now_ms)
  record({ 'requests', id, 'kind', r[2], 'from', from, 'to', 'queued', 'why', 'retried by the operator' })
else
  local from = move(id, 'failed', { 'reason', reason })
  record({ 'requests', id, 'kind', r[2], 'from', from, 'to', 'failed', 'why', reason })
end
finish()
return { 'ok' }
