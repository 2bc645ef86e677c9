-- Lets a request go on that waited for a delivery on the wire: an opt-out is completed, a deletion is queued for a batch.
--   arg(1) request
-- Returns 1, or 0 when it goes on waiting (a job is scheduled), or waits for something else.
local id = arg(1)
local waiting = key('waiting:wire')
local r = redis.call('HMGET', key('request:' .. id), 'status', 'kind', 'tags', 'regulation', 'disclosure_type', 'wire_until')
local kind, tags = r[2], {}
if r[1] ~= 'queued' or redis.call('SISMEMBER', waiting, id) == 0 then
  redis.call('SREM', waiting, id)
  return 0
end
for tag in string.gmatch(r[3] or '', '%S+') do tags[#tags + 1] = tag end
local until_ms, at_most = on_wire(tags), tonumber(r[6] or now_ms)
if until_ms and now_ms <= at_most then
  wait_for_wire(id, math.min(until_ms, at_most))
  return 0
end
redis.call('HDEL', key('request:' .. id), 'wire_until')
redis.call('SREM', waiting, id)
if kind == 'opt_out' then
  local from = move(id, 'completed', {})
  record({ 'requests', id, 'kind', kind, 'from', from, 'to', 'completed', 'why', 'in force, and nothing can arrive any more' })
elseif kind == 'deletion' then
  local copy = first_open(r[3] or '', 'retrieval', id)
  if copy then
    redis.call('SADD', key('waiting:' .. copy), id)
    redis.call('HSET', key('request:' .. id), 'reason', 'waits for retrieval ' .. copy)
  else
    redis.call('HDEL', key('request:' .. id), 'reason')
    make_ready(id, main_group(kind, r[4], r[5]), redis.call('ZSCORE', key('due'), id) or now_s, now_ms + linger_ms)
  end
end
finish()
return 1
