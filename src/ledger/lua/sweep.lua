-- Asks again for whatever must not be forgotten: a job that was set aside as poison would otherwise leave its batch
-- or group without anybody to look after it.
-- Returns {groups, batches, orphaned}.
local groups, batches = redis.call('SMEMBERS', key('groups')), redis.call('SMEMBERS', key('batches'))
for _, group in ipairs(groups) do schedule_submit(group, now_ms + linger_ms) end
for _, batch in ipairs(batches) do
  local b = redis.call('HMGET', key('batch:' .. batch), 'state', 'tracking_ids')
  if b[1] == 'sending' or b[1] == 'unknown' then
    schedule('resume/' .. batch, now_ms + 60000)
  elseif b[1] == 'accepted' then
    for task in string.gmatch(b[2] or '', '%S+') do
      local job = 'poll/' .. batch .. '/' .. task
      if not redis.call('ZSCORE', key('work:delayed'), job) then schedule(job, now_ms + 60000) end
    end
  elseif b[1] == 'collecting' then
    schedule('collect/' .. batch, now_ms + 60000)
  else
    redis.call('SREM', key('batches'), batch)
  end
end
return { #groups, #batches }
