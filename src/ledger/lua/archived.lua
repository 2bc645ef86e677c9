-- The archives of a batch are in the store.
--   arg(1) batch · arg(2) archive retention in ms · arg(3) main group · arg(4) how many requests are in doubt · their ids ·
--   then 4 arguments for each archive: id · location · sha256 · bytes
-- Requests in doubt are sent once more, each alone. Returns how many were completed by this call (0 when it is a repeat).
local batch, retention_ms, group, doubts = arg(1), tonumber(arg(2)), arg(3), tonumber(arg(4))
local expires_ms = now_ms + retention_ms
local expires_at = iso(math.floor(expires_ms / 1000))
local completed = 0
-- One event for many, with a word for each in `requests`, `archive_sha256` and `archive_bytes`; not for all of 2,000: readers take
-- whole events.
local MOST = 500
local events, event_from = {}, {}
local function note_completed(from, id, sha256, bytes)
  local e = event_from[from]
  if not e or #e.ids == MOST then
    e = { from = from, ids = {}, hashes = {}, sizes = {} }
    events[#events + 1], event_from[from] = e, e
  end
  local n = #e.ids + 1
  e.ids[n], e.hashes[n], e.sizes[n] = id, sha256, bytes
end
for i = 5 + doubts, #ARGV - 5, 4 do
  local id = arg(i)
  if redis.call('HGET', key('request:' .. id), 'batch') == batch then
    local from = move(id, 'completed', { 'archive', arg(i + 1), 'archive_sha256', arg(i + 2), 'archive_bytes', arg(i + 3),
      'archive_expires_at', expires_at, 'mixpanel_status', 'SUCCESS' })
    if from then
      completed = completed + 1
      redis.call('ZADD', key('archives'), expires_ms, id)
      schedule('expire/' .. id, expires_ms)
      for tag in string.gmatch(redis.call('HGET', key('request:' .. id), 'tags') or '', '%S+') do
        redis.call('HSET', key('user:' .. tag), 'archive_expires_at', expires_at)
      end
      note_completed(from, id, arg(i + 2), arg(i + 3))
    end
  end
end
for _, e in ipairs(events) do
  record({ 'requests', table.concat(e.ids, ' '), 'kind', 'retrieval', 'from', e.from, 'to', 'completed', 'batch', batch,
    'why', 'the archive is in the store', 'archive_sha256', table.concat(e.hashes, ' '),
    'archive_bytes', table.concat(e.sizes, ' '), 'archive_expires_at', expires_at })
end
local moved, why = {}, 'the common export held records that may be this person\'s: retrieved once more alone'
for i = 1, doubts do
  local id = arg(4 + i)
  if redis.call('HGET', key('request:' .. id), 'batch') == batch then
    note_move(moved, requeue(id, group .. '/' .. batch .. '.' .. i, { 'reason', why }, now_ms), id)
  end
end
record_moves(moved, { 'kind', 'retrieval', 'to', 'queued', 'batch', batch, 'why', why })
close_batch(batch, 'done', retention_ms)
finish()
return completed
