-- Reserves the next call of a project, or says when to ask again.
--
-- KEYS[1]  hash of the project's pace (fields: see below)
-- ARGV[1]  class: 'submit' or 'poll'
-- ARGV[2]  interval between two calls, ms
-- returns  {1, wait in ms, 'half_open' or '', ''}  the call may start after the wait
--          {0, wait in ms, why, reason}            ask again then; why: busy, paused, credentials
--
-- Only the server's clock counts. All times are ms since 1970.
-- next          the earliest free slot
-- last          class of the latest slot
-- streak        submissions since the last slot that was a poll's, while polls wanted one
-- polls_until   until then a refused poll counts as wanting a slot
-- hole          a slot kept free for a poll
-- polls_back    when the last of the polls that were told to ask again does so
-- <class>_until, <class>_reason             pause of a class
-- credentials_until, credentials_every      pause for bad credentials, gap between half-open calls

local SHARE = 4           -- submissions per poll while both want
local CLOCK_STEP = 300000 -- a slot further ahead than this was booked before the clock stepped back

local key, class, interval = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function number(field) return tonumber(redis.call('HGET', key, field) or 0) or 0 end
local function set(...) redis.call('HSET', key, ...) end
local function ms(value) return string.format('%.0f', value) end
local function deny(wait, why, reason) return {0, math.max(1, math.ceil(wait)), why, reason or ''} end

local half_open = ''
local credentials_until = number('credentials_until')
if credentials_until > now then return deny(credentials_until - now, 'credentials') end
if credentials_until > 0 then half_open = 'half_open' end

local paused_until = number(class .. '_until')
if paused_until > now then
  return deny(paused_until - now, 'paused', redis.call('HGET', key, class .. '_reason') or '')
end

local function grant(slot)
  if half_open ~= '' then set('credentials_until', ms(now + number('credentials_every'))) end
  return {1, math.ceil(slot - now), half_open, ''}
end

local next_free, hole = number('next'), number('hole')
local polls_until, streak = number('polls_until'), number('streak')
local polls_back = number('polls_back')
if next_free > now + CLOCK_STEP then next_free, hole, polls_until, polls_back = now, 0, 0, 0 end
local slot = math.max(now, next_free)
local ahead = slot - now

if class == 'poll' then
  if hole >= now then
    set('hole', 0)
    return grant(hole)
  end
  -- One interval ahead among polls; none behind submissions; whatever they have booked when a
  -- poll's turn has come.
  local horizon = interval
  if streak >= SHARE then
    horizon = 3 * interval
  elseif redis.call('HGET', key, 'last') == 'submit' then
    horizon = 0
  end
  if ahead > horizon then
    -- Back before the slot is due, early enough to find a hole.
    local back = math.max(ahead > interval and ahead - interval or ahead / 2, interval / 10)
    -- One after the other: if a thousand came back for the next slot, each slot would cost a thousand questions.
    if polls_back > now then back = math.max(back, polls_back + interval - now) end
    set('polls_back', ms(now + back), 'polls_until', ms(now + back + 2 * interval))
    return deny(back, 'busy')
  end
  set('next', ms(slot + interval), 'streak', 0, 'last', 'poll')
  return grant(slot)
end

local polls_want = polls_until > now and number('poll_until') <= now
streak = polls_want and streak + 1 or 0
if streak > SHARE then
  hole, slot, streak = slot, slot + interval, 1
end
if slot - now > 2 * interval then
  return deny(slot - now - 2 * interval, 'busy')
end
set('next', ms(slot + interval), 'streak', streak, 'last', 'submit', 'hole', ms(hole))
return grant(slot)
