-- Reads entries of the event stream for the one reader that the project has at a time.
--   arg(1) token of the reader · arg(2) ms that it stays the reader · arg(3) most entries · arg(4) most bytes ·
--   arg(5) ">" for new ones, or the entry id after which to read what an earlier reader had read and not settled
-- Returns {0} while somebody else is the reader, else {1, {entries}}.
-- Entries are taken a few at a time: their sizes are not known before, and a thousand large ones would not fit.
local A_FEW = 4
local group, consumer = 'workers', 'reader'
local lease = key('events:reader')
local holder = redis.call('GET', lease)
if holder and holder ~= arg(1) then return { 0 } end
redis.call('SET', lease, arg(1), 'PX', arg(2))
if not holder then redis.pcall('XGROUP', 'CREATE', key('events'), group, '0', 'MKSTREAM') end
local most, bytes, after, found = tonumber(arg(3)), tonumber(arg(4)), arg(5), {}
while #found < most and bytes > 0 do
  local wanted = math.min(A_FEW, most - #found)
  local reply = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', wanted, 'STREAMS', key('events'), after)
  if reply and reply.err then
    -- The stream was deleted by hand.
    redis.pcall('XGROUP', 'CREATE', key('events'), group, '0', 'MKSTREAM')
    break
  end
  local entries = reply and reply[1] and reply[1][2] or {}
  for _, entry in ipairs(entries) do
    found[#found + 1] = entry
    for _, text in ipairs(entry[2] or {}) do bytes = bytes - #text end
    bytes = bytes - 64
    if after ~= '>' then after = entry[1] end
  end
  if #entries < wanted then break end
end
return { 1, found }
