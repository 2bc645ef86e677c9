-- The archives of a batch are in the store.
--   arg(1) batch · arg(2) archive retention in ms, then 4 arguments a request: id · location · sha256 · bytes
-- Returns how many requests were completed by this call (0 when it is a repeat).
local batch, retention_ms = arg(1), tonumber(arg(2))
local expires_ms = now_ms + retention_ms
local expires_at = iso(math.floor(expires_ms / 1000))
local completed = 0
for i = 3, #ARGV - 5, 4 do
  local id = arg(i)
  if redis.call('HGET', key('request:' .. id), 'batch') == batch then
    local from = move(id, 'completed', { 'archive', arg(i + 1), 'archive_sha256', arg(i + 2), 'archive_bytes', arg(i + 3),
      'archive_expires_at', expires_at, 'mixpanel_status', 'SUCCESS' })
    if from then
      completed = completed + 1
      schedule('expire/' .. id, expires_ms)
      for tag in string.gmatch(redis.call('HGET', key('request:' .. id), 'tags') or '', '%S+') do
        redis.call('HSET', key('user:' .. tag), 'archive_expires_at', expires_at)
      end
      record({ 'requests', id, 'kind', 'retrieval', 'from', from, 'to', 'completed', 'batch', batch, 'why', 'the archive is in the store',
        'archive_sha256', arg(i + 2), 'archive_bytes', arg(i + 3), 'archive_expires_at', expires_at })
    end
  end
end
close_batch(batch, 'done')
finish()
return completed
