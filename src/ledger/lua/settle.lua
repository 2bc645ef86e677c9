-- Ends a batch and gives each of its requests its next status, in one step.
--   arg(1) batch · arg(2) states the batch may be in, comma-separated · arg(3) attempt it must be at, or "" ·
--   arg(4) how the batch ended · arg(5) default status · arg(6) default group (for queued) · arg(7) default reason ·
--   arg(8) why, for the ledger · arg(9) ms until queued requests may be sent · arg(10) tracking id the news is about, or "" ·
--   arg(11) "keep" if the export is kept, "again" if a retry may collect it again, or "" · then 4 arguments for each request that differs from the default: id · status · group · reason
-- Returns 1, or 0 when the batch is not in such a state, or stays unknown already.
local batch, new_state, why, wait_ms, task = arg(1), arg(4), arg(8), tonumber(arg(9)), arg(10)
local hash = key('batch:' .. batch)
local b = redis.call('HMGET', hash, 'state', 'attempt', 'kind', 'unknown', 'refused_attempt')
if not b[1] or not string.find(',' .. arg(2) .. ',', ',' .. b[1] .. ',', 1, true) then return 0 end
if arg(3) ~= '' and arg(3) ~= b[2] then return 0 end

local special = {}
for i = 12, #ARGV - 5, 4 do special[arg(i)] = { arg(i + 1), arg(i + 2), arg(i + 3) } end
-- A refusal for a passing reason says nothing about earlier attempts: if the answer to one of them was lost, Mixpanel may
-- have its task. The batch stays unknown, with what is left of its budget, until that is settled.
if new_state == 'refused' and arg(5) == 'queued' and next(special) == nil then
  if b[5] == b[2] then return 0 end
  local unknown = tonumber(b[4] or '0')
  -- What is refused is not unknown any more, even if its lease was over.
  if b[1] == 'unknown' then unknown = unknown - 1 end
  if unknown > 0 then
    redis.call('HSET', hash, 'state', 'unknown', 'unknown', unknown, 'refused_attempt', b[2], 'not_before', now_ms + wait_ms)
    redis.call('ZADD', key('work:delayed'), now_ms + wait_ms, 'resume/' .. batch)
    local ids = members(batch)
    if arg(7) ~= '' then
      for _, id in ipairs(ids) do redis.call('HSET', key('request:' .. id), 'reason', arg(7), 'updated_at', now) end
    end
    record_of(ids, batch, { 'kind', b[3], 'attempt', b[2], 'why', why .. '; an earlier attempt is still unknown' })
    return 1
  end
end
local by_outcome = {}
for _, id in ipairs(members(batch)) do
  if new_state == 'failed' then redis.call('HINCRBY', key('request:' .. id), 'task_failures', 1) end
  local s = special[id] or { arg(5), arg(6), arg(7) }
  local to, group, reason = s[1], s[2], s[3]
  local outcome = by_outcome[to .. '|' .. reason] or { to = to, reason = reason, moved = {} }
  by_outcome[to .. '|' .. reason] = outcome
  if to == 'queued' then
    note_move(outcome.moved, requeue(id, group, { 'reason', reason }, now_ms + wait_ms), id)
  elseif to == 'completed' then
    note_move(outcome.moved, move(id, to, { 'reason', reason, 'mixpanel_status', 'SUCCESS' }), id)
  else
    note_move(outcome.moved, move(id, to, { 'reason', reason }), id)
  end
end
for _, outcome in pairs(by_outcome) do
  record_moves(outcome.moved, { 'kind', b[3], 'to', outcome.to, 'why', outcome.reason ~= '' and outcome.reason or why,
    'tracking_id', task }, batch)
end
if arg(11) == 'again' then redis.call('HSET', hash, 'again', 'collect') end
close_batch(batch, new_state, arg(11) ~= '' and retention_s * 1000)
finish()
return 1
