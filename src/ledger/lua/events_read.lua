-- Reads entries of the event stream for the one reader that the project has at a time.
--   arg(1) token of the reader · arg(2) ms that it stays the reader · arg(3) most entries · arg(4) most bytes ·
--   arg(5) the entry after which to read
-- Returns {0} while somebody else is the reader, else {1, {entries}}.
-- What is settled is deleted, so whatever stands on the stream is still to be delivered: a reader keeps its place
-- itself, and the next one begins at the beginning. A consumer group would cost a write for each entry read.
local lease = key('events:reader')
local holder = redis.call('GET', lease)
-- Whoever lost the lease begins anew, even if nobody has it now: somebody else may have read and delivered meanwhile.
if holder ~= arg(1) and (holder or arg(5) ~= '0') then return { 0 } end
redis.call('SET', lease, arg(1), 'PX', arg(2))
local most, bytes, after, found = tonumber(arg(3)), tonumber(arg(4)), arg(5), {}
-- Their sizes are not known before: as many as would fit if they are like those before, and no more than can be borne.
local A_FEW, MANY = 4, 128
local wanted = A_FEW
while #found < most do
  wanted = math.min(wanted, most - #found)
  local entries, size = redis.call('XRANGE', key('events'), '(' .. after, '+', 'COUNT', wanted), 0
  for _, entry in ipairs(entries) do
    local length = 64
    for _, text in ipairs(entry[2]) do length = length + #text end
    if #found > 0 and length > bytes then return { 1, found } end
    found[#found + 1] = entry
    after, bytes, size = entry[1], bytes - length, size + length
  end
  if #entries < wanted or bytes <= 0 then break end
  wanted = math.max(1, math.min(MANY, 2 * wanted, math.floor(bytes * #entries / size)))
end
return { 1, found }
