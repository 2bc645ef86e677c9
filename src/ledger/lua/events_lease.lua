-- Becomes the reader of the event stream, stays it, or stops being it.
--   arg(1) token of the reader · arg(2) ms to stay it; 0 gives it up · arg(3) "take" becomes it if nobody is, else "keep"
-- Returns 1 if it is the reader (or was, until now).
local lease = key('events:reader')
local holder = redis.call('GET', lease)
if not holder and arg(3) == 'take' then
  redis.call('SET', lease, arg(1), 'PX', arg(2))
  return 1
end
if holder ~= arg(1) then return 0 end
if arg(2) == '0' then redis.call('DEL', lease) else redis.call('PEXPIRE', lease, arg(2)) end
return 1
