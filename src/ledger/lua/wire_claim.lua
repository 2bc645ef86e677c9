-- Registers a parcel on the wire and tells what its people have said, in one step: who opts out from now on waits for it.
--   arg(1) token of the reader · arg(2) name of the parcel, "event/…" or "profile/…" · arg(3) ms that it may be on the wire ·
--   arg(4) "hashed" if ids leave in it as keyed hashes, else "plain" · arg(5) tags of everybody in it
-- Returns {"gone"} when the caller is not the reader any more, {"busy", ms} when profiles must wait for others that may
-- still arrive, else {"go", then for each tag that something is known of: its number, consent, purged_to, events_retained_until}.
local parcel, wire = arg(2), key('wire')
if redis.call('GET', key('events:reader')) ~= arg(1) then return { 'gone' } end
redis.call('ZREMRANGEBYSCORE', wire, '-inf', now_ms - 1)
if string.sub(parcel, 1, 8) == 'profile/' then
  for _, other in ipairs(redis.call('ZRANGE', wire, 0, -1)) do
    if string.sub(other, 1, 8) == 'profile/' then
      return { 'busy', redis.call('ZSCORE', wire, other) - now_ms + 1 }
    end
  end
end
local reply, tags, number = { 'go' }, {}, -1
local call, user = redis.call, key('user:')
for tag in string.gmatch(arg(5), '%S+') do
  number = number + 1
  local have = call('HMGET', user .. tag, 'consent', 'purged_to', 'events_retained_until')
  if have[1] or have[2] or have[3] then
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = tostring(number), have[1] or '', have[2] or '', have[3] or ''
  end
  -- Who is out is left out: nobody waits for a parcel that they are not in.
  if have[1] ~= 'opted_out' then tags[#tags + 1] = tag end
end
-- Before the first one leaves: from now on requests name both forms, whatever the setting says later.
if arg(4) == 'hashed' then redis.call('SETNX', key('ids:hashed'), now) end
if #tags > 0 then
  in_chunks(tags, function(chunk) redis.call('SADD', key('wire:' .. parcel), unpack(chunk)) end)
  redis.call('PEXPIRE', key('wire:' .. parcel), arg(3) + 1000)
  redis.call('ZADD', wire, now_ms + arg(3), parcel)
end
return reply
