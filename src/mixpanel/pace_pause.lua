-- Stops calls of a project for a while. A pause is never shortened.
--
-- KEYS[1]  hash of the project's pace
-- ARGV[1]  length, ms
-- ARGV[2]  reason
-- ARGV[3]  fingerprint of bad credentials, '' for other pauses. Another fingerprint than the
--          stored one starts a new pause.
-- ARGV[4+] what to stop: 'submit', 'poll', 'credentials'
-- returns  1

local key, length, reason, fingerprint = KEYS[1], tonumber(ARGV[1]), ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function ms(value) return string.format('%.0f', value) end

for i = 4, #ARGV do
  local scope = ARGV[i]
  local known = tonumber(redis.call('HGET', key, scope .. '_until') or 0) or 0
  local continues = known > now
  if fingerprint ~= '' then
    continues = known > 0 and redis.call('HGET', key, scope .. '_fingerprint') == fingerprint
    redis.call('HSET', key, scope .. '_fingerprint', fingerprint, scope .. '_every', ms(length))
  end
  if not continues then
    redis.call('HSET', key, scope .. '_since', ms(now))
    known = 0
  end
  if now + length > known then
    redis.call('HSET', key, scope .. '_until', ms(now + length), scope .. '_reason', reason)
  end
end
return 1
