-- Stays the reader of the event stream, or stops being it.
--   arg(1) token of the reader · arg(2) ms to stay it; 0 gives it up
-- Returns 1 if it is the reader (or was, until now).
local lease = key('events:reader')
if redis.call('GET', lease) ~= arg(1) then return 0 end
if arg(2) == '0' then redis.call('DEL', lease) else redis.call('PEXPIRE', lease, arg(2)) end
return 1
