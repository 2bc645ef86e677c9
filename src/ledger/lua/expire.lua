-- The archive of a request was destroyed at the end of its retention.
--   arg(1) request · arg(2) what is to be known about that, or ""
-- Returns 1, or 0 when there was nothing to expire.
local id, note = arg(1), arg(2)
local ends = redis.call('HGET', key('request:' .. id), 'archive_expires_at')
local from = move(id, 'expired', { 'archive', '', 'reason', note })
redis.call('ZREM', key('archives'), id)
if not from then return 0 end
for tag in string.gmatch(redis.call('HGET', key('request:' .. id), 'tags') or '', '%S+') do
  local user = key('user:' .. tag)
  -- Another request of theirs may have an archive with a time of its own.
  if redis.call('HGET', user, 'archive_expires_at') == ends then redis.call('HDEL', user, 'archive_expires_at') end
end
record({ 'requests', id, 'kind', 'retrieval', 'from', from, 'to', 'expired', 'why', note ~= '' and note or 'the archive was destroyed at the end of its retention' })
finish()
return 1
