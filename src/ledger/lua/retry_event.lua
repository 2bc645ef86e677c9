-- Puts a refused event or profile update back on the stream of the producers, once however many ask for it.
--   arg(1) entry of events:refused · arg(2) event or profile · arg(3) the record in clear ·
--   arg(4) "off" if no place may be derived from it, or ""
-- Returns 1, or 0 when the entry is gone.
local refused = key('events:refused')
local entry = redis.call('XRANGE', refused, arg(1), arg(1))[1]
if not entry then return 0 end
-- What was enqueued before somebody opted out stays away, whatever they said since.
local has = {}
for i = 1, #entry[2], 2 do has[entry[2][i]] = entry[2][i + 1] end
local ms = tonumber(string.match(has.source or '', '^%d+') or '0')
for tag in string.gmatch(has.tags or '', '%S+') do
  local u = redis.call('HMGET', key('user:' .. tag), 'consent', 'purged_to')
  if u[1] == 'opted_out' or ms <= tonumber(u[2] or '0') then
    redis.call('XDEL', refused, arg(1))
    return 0
  end
end
local fields = { arg(2), arg(3) }
if arg(4) ~= '' then fields[3] = 'geolocation'; fields[4] = arg(4) end
redis.call('XADD', key('events'), '*', unpack(fields))
redis.call('XDEL', refused, arg(1))
return 1
