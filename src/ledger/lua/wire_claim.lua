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
local reply, on_it, all = { 'go' }, {}, {}
local call, user = redis.call, key('user:')
for tag in string.gmatch(arg(5), '%S+') do all[#all + 1] = tag end
local function note(number, have)
  if have[1] or have[2] or have[3] then
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = tostring(number - 1), have[1] or '', have[2] or '', have[3] or ''
  end
  -- Who is out is left out: nobody waits for a parcel that they are not in.
  if have[1] ~= 'opted_out' then on_it[#on_it + 1] = all[number] end
end
-- Of most people nothing is known, and one look tells so for many of them.
local AT_ONCE, NOTHING = 50, { false, false, false }
for first = 1, #all, AT_ONCE do
  local last, keys = math.min(first + AT_ONCE - 1, #all), {}
  for number = first, last do keys[#keys + 1] = user .. all[number] end
  local nobody = call('EXISTS', unpack(keys)) == 0
  for number = first, last do
    note(number, nobody and NOTHING or call('HMGET', user .. all[number], 'consent', 'purged_to', 'events_retained_until'))
  end
end
-- Before the first one leaves: from now on requests name both forms, whatever the setting says later.
if arg(4) == 'hashed' then redis.call('SETNX', key('ids:hashed'), now) end
if #on_it > 0 then
  call('SET', key('wire:' .. parcel), table.concat(on_it, ' '), 'PX', arg(3) + 1000)
  call('ZADD', wire, now_ms + arg(3), parcel)
end
return reply
