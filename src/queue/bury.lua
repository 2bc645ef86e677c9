-- Moves one pending entry to the dead stream. Atomic, and does nothing the second time.
-- KEYS 1 stream, 2 dead stream
-- ARGV 1 group, 2 entry id, 3 reason, then the entry's fields as name, value, name, value
-- Returns 1 if the entry was moved, 0 if it was not pending any more.
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then
  return 0
end
local copy = {}
for i = 4, #ARGV do
  copy[#copy + 1] = ARGV[i]
end
copy[#copy + 1] = 'entry'
copy[#copy + 1] = ARGV[2]
copy[#copy + 1] = 'reason'
copy[#copy + 1] = ARGV[3]
-- The write that can be refused (memory, wrong type) comes first: nothing is removed before.
redis.call('XADD', KEYS[2], '*', unpack(copy))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
