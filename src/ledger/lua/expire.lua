-- The archive of a request was destroyed at the end of its retention.
--   arg(1) request
-- Returns 1, or 0 when there was nothing to expire.
local id = arg(1)
local from = move(id, 'expired', { 'archive', '' })
if not from then return 0 end
for tag in string.gmatch(redis.call('HGET', key('request:' .. id), 'tags') or '', '%S+') do
  redis.call('HDEL', key('user:' .. tag), 'archive_expires_at')
end
record({ 'requests', id, 'kind', 'retrieval', 'from', from, 'to', 'expired', 'why', 'the archive was destroyed at the end of its retention' })
finish()
return 1
