-- Removes consumers that hold nothing. Looking and removing must be one step: removing a consumer
-- that has just read an entry would lose the entry.
-- KEYS 1 stream
-- ARGV 1 group, 2 milliseconds of silence, 3 the only consumer to look at, or empty for all
-- Returns how many consumers were removed.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local removed = 0
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #row, 2 do
    consumer[row[i]] = row[i + 1]
  end
  local meant = ARGV[3] == '' or ARGV[3] == consumer.name
  if meant and consumer.pending == 0 and consumer.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    removed = removed + 1
  end
end
return removed
