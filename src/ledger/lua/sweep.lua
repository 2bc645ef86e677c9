-- Asks again for whatever must not be forgotten: a job that was set aside as poison would otherwise leave its batch
-- or group without anybody to look after it.
-- Returns {groups, batches, orphaned}.
local groups, batches = redis.call('SMEMBERS', key('groups')), redis.call('SMEMBERS', key('batches'))
-- Only what has no job gets one: a group that waits for an hour shall wait for an hour.
local function ensure(job, at_ms)
  if not redis.call('ZSCORE', key('work:delayed'), job) then schedule(job, at_ms) end
end
for _, group in ipairs(groups) do
  if redis.call('ZCARD', key('open:' .. group)) == 0 then redis.call('SREM', key('groups'), group)
  elseif not redis.call('ZSCORE', key('work:delayed'), 'submit/' .. group) then schedule_submit(group, now_ms + linger_ms) end
end
for _, batch in ipairs(batches) do
  local b = redis.call('HMGET', key('batch:' .. batch), 'state', 'tracking_ids')
  if b[1] == 'sending' or b[1] == 'unknown' then
    ensure('resume/' .. batch, now_ms + 60000)
  elseif b[1] == 'accepted' then
    for task in string.gmatch(b[2] or '', '%S+') do
      ensure('poll/' .. batch .. '/' .. task, now_ms + 60000)
    end
  elseif b[1] == 'collecting' then
    ensure('collect/' .. batch, now_ms + 60000)
  else
    redis.call('SREM', key('batches'), batch)
  end
end
-- Archives whose time is over and whose job was lost on the way.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('archives'), 0, now_ms - 60000, 'LIMIT', 0, 500)) do
  ensure('expire/' .. id, now_ms)
end
-- Requests that wait until a delivery has arrived.
for _, id in ipairs(redis.call('SMEMBERS', key('waiting:wire'))) do
  ensure('acknowledge/' .. id, now_ms)
end
return { #groups, #batches }
