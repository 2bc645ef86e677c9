-- Shared by all ledger scripts; the Rust side puts it (and the table LEGAL, made from state.rs) in front of each.
--   KEYS[1]  the ledger stream. Every other key is derived from its prefix: one project, one hash slot.
--   ARGV[1]  who acts (replica name, or "operator")
--   ARGV[2]  seconds that the hash of a final request is kept
--   ARGV[3]  milliseconds that a request may wait for company (linger)
--   ARGV[4]  identifiers in a full retrieval batch, ARGV[5] the same for deletions
--   ARGV[6…] the script's own arguments, read through `arg(1)`, `arg(2)`, …
-- Rule kept throughout: look and decide first, write after; never raise an error once something was written.
local prefix = string.sub(KEYS[1], 1, -7)
local actor, retention_s, linger_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local full = { retrieval = tonumber(ARGV[4]), deletion = tonumber(ARGV[5]) }
local function key(name) return prefix .. name end
local function arg(n) return ARGV[5 + n] end

local clock = redis.call('TIME')
local now_s = tonumber(clock[1])
local now_ms = now_s * 1000 + math.floor(tonumber(clock[2]) / 1000)

-- Unix seconds -> RFC 3339 in UTC (proleptic Gregorian calendar, counted from 0000-03-01).
local function iso(seconds)
  local days = math.floor(seconds / 86400)
  local rest = seconds - days * 86400
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return string.format('%04d-%02d-%02dT%02d:%02d:%02dZ',
    yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - math.floor((153 * mp + 2) / 5) + 1,
    math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60)
end
local now = iso(now_s)

-- Whether one of these people is in a parcel on the wire. Its tags are one text: they are written with every parcel, and
-- searched only when somebody asks for something.
local function is_in(parcel, tags)
  local name = key('wire:' .. parcel)
  -- A build before this one had a set.
  local one_by_one = redis.call('TYPE', name).ok == 'set'
  local all = not one_by_one and redis.call('GET', name) or ''
  for _, tag in ipairs(tags) do
    if one_by_one and redis.call('SISMEMBER', name, tag) == 1 or string.find(all, tag, 1, true) then return true end
  end
  return false
end

-- The latest moment (ms) until which something about one of these people may be on its way to Mixpanel, or nothing.
-- Which parcels there are is asked once: no script that asks puts one on the wire.
local parcels
local function on_wire(tags)
  local latest
  parcels = parcels or redis.call('ZRANGEBYSCORE', key('wire'), now_ms, '+inf', 'WITHSCORES')
  for i = 1, #parcels, 2 do
    if is_in(parcels[i], tags) then latest = math.max(latest or 0, tonumber(parcels[i + 1])) end
  end
  return latest
end

local OPEN = { queued = true, submitting = true, submitted = true, packaging = true, held = true }

-- Appends one event. `fields` is a flat list of names and values; empty values are left out.
-- Each event's hash covers the hash before it, so that a change, removal or reordering shows.
local last_hash
local function record(fields)
  if not last_hash then
    local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
    last_hash = last and last[2][#last[2]] or ''
  end
  local event, text = { 'at', now }, { last_hash, 'at', now }
  for i = 1, #fields, 2 do
    local value = fields[i + 1]
    if value and value ~= '' then
      value = tostring(value)
      event[#event + 1] = fields[i]; event[#event + 1] = value
      text[#text + 1] = fields[i]; text[#text + 1] = #value .. ':' .. value
    end
  end
  event[#event + 1] = 'worker'; event[#event + 1] = actor
  text[#text + 1] = 'worker'; text[#text + 1] = #actor .. ':' .. actor
  last_hash = redis.sha1hex(table.concat(text, '\n'))
  event[#event + 1] = 'hash'; event[#event + 1] = last_hash
  redis.call('XADD', KEYS[1], '*', unpack(event))
end

-- Changes of `stats` are summed up and written once, by `finish`.
local counts = {}
local function count(field, by) counts[field] = (counts[field] or 0) + by end
local function finish()
  for field, by in pairs(counts) do
    if by ~= 0 and redis.call('HINCRBY', key('stats'), field, by) == 0 then redis.call('HDEL', key('stats'), field) end
  end
  counts = {}
end

-- Delayed jobs: member = job text, score = due time in ms (the queue's contract). The earlier time wins.
local function schedule(job, at_ms) redis.call('ZADD', key('work:delayed'), 'LT', at_ms, job) end

local function main_group(kind, regulation, disclosure) return kind .. '/' .. regulation .. '/' .. disclosure end
local function kind_of(group) return string.match(group, '^[^/]+') end

-- Asks for a batch of `group`, not before what a 429 asked for its kind.
local function schedule_submit(group, at_ms)
  local not_before = tonumber(redis.call('HGET', key('holdback'), kind_of(group)) or '0')
  schedule('submit/' .. group, math.max(at_ms, not_before))
end

-- A request that must not go on while its person's data is on the wire.
local WAITS_FOR_WIRE = 'waits until what was being delivered about this person has arrived'
-- Only what is on the wire now counts: whatever is claimed later knows what the person said. Called once the request has its hash.
local function wait_for_wire(id, until_ms)
  redis.call('SADD', key('waiting:wire'), id)
  redis.call('HSETNX', key('request:' .. id), 'wire_until', until_ms)
  schedule('acknowledge/' .. id, until_ms + 1)
end

-- Puts a queued request among those that wait for a batch.
local function make_ready(id, group, due, at_ms)
  redis.call('ZADD', key('open:' .. group), due, id)
  redis.call('SADD', key('groups'), group)
  schedule_submit(group, at_ms)
end

-- A person's open requests stand in the field `open` of the user hash, as words "group=id".
local function open_of(tag) return redis.call('HGET', key('user:' .. tag), 'open') or '' end

local function first_open(tags, kind, except)
  for tag in string.gmatch(tags, '%S+') do
    for group, id in string.gmatch(open_of(tag), '([^=%s]+)=(%S+)') do
      if kind_of(group) == kind and id ~= except then return id end
    end
  end
end

local function forget_open(tag, id)
  local user, kept = key('user:' .. tag), {}
  for word in string.gmatch(open_of(tag), '%S+') do
    if string.match(word, '=(.*)$') ~= id then kept[#kept + 1] = word end
  end
  if #kept == 0 then redis.call('HDEL', user, 'open')
  else redis.call('HSET', user, 'open', table.concat(kept, ' ')) end
end

-- A deletion waits while a retrieval of the same person is open; called when that retrieval has ended.
local function release_waiting(retrieval)
  local waiting = key('waiting:' .. retrieval)
  for _, id in ipairs(redis.call('SMEMBERS', waiting)) do
    local r = redis.call('HMGET', key('request:' .. id), 'status', 'tags', 'kind', 'regulation', 'disclosure_type', 'due_at')
    if r[1] == 'queued' then
      local other = first_open(r[2] or '', 'retrieval', retrieval)
      if other then
        redis.call('SADD', key('waiting:' .. other), id)
        redis.call('HSET', key('request:' .. id), 'reason', 'waits for retrieval ' .. other)
      else
        -- It goes to the main group, whatever cohort it was in: `leave_queue` looks where this field says.
        redis.call('HDEL', key('request:' .. id), 'reason', 'cohort')
        local tags = {}
        for tag in string.gmatch(r[2] or '', '%S+') do tags[#tags + 1] = tag end
        local wire = on_wire(tags)
        if wire then
          redis.call('HSET', key('request:' .. id), 'reason', WAITS_FOR_WIRE)
          wait_for_wire(id, wire)
        else make_ready(id, main_group(r[3], r[4], r[5]), redis.call('ZSCORE', key('due'), id) or now_s, now_ms + linger_ms) end
      end
    end
  end
  redis.call('DEL', waiting)
end

-- The milliseconds and the number in the name of a stream's entry.
local function moment_of(entry)
  local ms, seq = string.match(entry or '', '^(%d+)%-(%d+)$')
  return tonumber(ms or '0'), tonumber(seq or '0')
end

-- Whether a document that came before `entry` may still be taken in. Each leaves the stream in the step that takes it in.
local oldest
local function is_preceded(entry)
  oldest = oldest or redis.call('XRANGE', key('requests'), '-', '+', 'COUNT', 1)[1] or { '' }
  if oldest[1] == '' then return false end
  local ms, seq = moment_of(entry)
  local oldest_ms, oldest_seq = moment_of(oldest[1])
  return oldest_ms < ms or (oldest_ms == ms and oldest_seq < seq)
end

-- A person whose data is erased stays opted out, for ever: of them nothing is kept that only helps to decide what is to come.
local function forget_details(tag)
  local user = key('user:' .. tag)
  local said = redis.call('HMGET', user, 'consent', 'consent_entry')
  if said[1] ~= 'opted_out' then return end
  if is_preceded(said[2]) then redis.call('HDEL', user, 'events_retained_until', 'purged_to')
  else redis.call('HDEL', user, 'events_retained_until', 'purged_to', 'consent_entry') end
  redis.call('ZREM', key('seen'), tag)
  redis.call('HDEL', key('seen:ids'), tag)
end

-- One request from its present status to `to`. `changes`: flat list of further fields of its hash ('' removes one).
-- Returns the status it came from, or false (nothing changed) when the move is not legal.
local function move(id, to, changes)
  local request = key('request:' .. id)
  local r = redis.call('HMGET', request, 'kind', 'status', 'tags', 'reason')
  local kind, from, tags = r[1], r[2], r[3] or ''
  if not from then return false end
  if not (LEGAL[from] and LEGAL[from][to]) then
    count('illegal_moves', 1)
    return false
  end
  local set, gone, reason = { 'status', to, 'updated_at', now }, {}, false
  for i = 1, #(changes or {}), 2 do
    if changes[i] == 'reason' and changes[i + 1] ~= '' then reason = true end
    if changes[i + 1] == '' then gone[#gone + 1] = changes[i]
    else set[#set + 1] = changes[i]; set[#set + 1] = changes[i + 1] end
  end
  if r[4] and not reason then gone[#gone + 1] = 'reason' end
  redis.call('HSET', request, unpack(set))
  if #gone > 0 then redis.call('HDEL', request, unpack(gone)) end
  count(kind .. '.' .. from, -1)
  count(kind .. '.' .. to, 1)
  local ends = OPEN[from] and not OPEN[to]
  for tag in string.gmatch(tags, '%S+') do
    local user = key('user:' .. tag)
    if kind == 'retrieval' or kind == 'deletion' then
      redis.call('HSET', user, kind, to, kind .. '_at', now)
    end
    if kind == 'deletion' and to == 'completed' then forget_details(tag) end
    if ends then forget_open(tag, id) end
    if not OPEN[to] and redis.call('HEXISTS', user, 'consent') == 0 and redis.call('HEXISTS', user, 'open') == 0 then
      redis.call('EXPIRE', user, retention_s)
    end
  end
  if ends then
    redis.call('ZREM', key('due'), id)
    redis.call('HDEL', key('sealed'), id)
    if kind == 'retrieval' then release_waiting(id) end
  end
  if not OPEN[to] and not (kind == 'retrieval' and to == 'completed') then
    redis.call('EXPIRE', request, retention_s)
  end
  redis.call('PUBLISH', key('changed:' .. id), to)
  return from
end

-- Takes a queued request out of whatever it waits in.
local function leave_queue(id)
  redis.call('SREM', key('waiting:wire'), id)
  redis.call('HDEL', key('request:' .. id), 'wire_until')
  local r = redis.call('HMGET', key('request:' .. id), 'kind', 'regulation', 'disclosure_type', 'cohort', 'tags')
  local group = r[4] or main_group(r[1], r[2], r[3])
  redis.call('ZREM', key('open:' .. group), id)
  if r[1] == 'deletion' then
    for tag in string.gmatch(r[5] or '', '%S+') do
      for other_group, other in string.gmatch(open_of(tag), '([^=%s]+)=(%S+)') do
        if kind_of(other_group) == 'retrieval' then redis.call('SREM', key('waiting:' .. other), id) end
      end
    end
  end
end

-- Puts a request back to wait for a batch, in `group` (a main group, or a cohort of its own).
-- A deletion that comes back while a retrieval of the same person is open waits for that instead.
local function requeue(id, group, changes, at_ms)
  local cohort = select(2, string.gsub(group, '/', '/')) > 2 and group or ''
  local copy = kind_of(group) == 'deletion' and first_open(redis.call('HGET', key('request:' .. id), 'tags') or '', 'retrieval', id)
  local all = { 'cohort', copy and '' or cohort, 'batch', '', 'tracking_id', '', 'mixpanel_status', '', 'cancel_asked', '' }
  for _, change in ipairs(changes or {}) do all[#all + 1] = change end
  if copy then all[#all + 1] = 'reason'; all[#all + 1] = 'waits for retrieval ' .. copy end
  local from = move(id, 'queued', all)
  if from and copy then
    redis.call('SADD', key('waiting:' .. copy), id)
  elseif from then
    make_ready(id, group, redis.call('ZSCORE', key('due'), id) or now_s, at_ms)
  end
  return from
end

-- Records something about these requests. Who was put into a batch stands in the ledger once: what is about all of them names
-- the batch that they are `of`, and how many they are.
local function record_of(ids, of, fields)
  local whole = of and #ids > 1 and #ids == tonumber(redis.call('HGET', key('batch:' .. of), 'requests') or '0')
  if whole then record({ 'whole_batch', #ids, 'batch', of, unpack(fields) })
  else record({ 'requests', table.concat(ids, ' '), 'batch', of or '', unpack(fields) }) end
end

-- Events are about up to 2,000 requests; requests that came from the same status share one.
local function record_moves(moved, fields, of)
  for from, ids in pairs(moved) do record_of(ids, of, { 'from', from, unpack(fields) }) end
end
local function note_move(moved, from, id)
  if from then moved[from] = moved[from] or {}; table.insert(moved[from], id) end
end

-- Lua passes at most some 8,000 values to one call.
local function in_chunks(list, f)
  if #list > 0 and #list <= 1000 then return f(list) end
  for first = 1, #list, 1000 do
    local chunk = {}
    for i = first, math.min(first + 999, #list) do chunk[#chunk + 1] = list[i] end
    f(chunk)
  end
end

-- Appends each id and its sealed identifiers to a reply.
local function append_sealed(reply, ids)
  in_chunks(ids, function(chunk)
    local sealed = redis.call('HMGET', key('sealed'), unpack(chunk))
    for i, id in ipairs(chunk) do
      reply[#reply + 1] = id
      reply[#reply + 1] = sealed[i] or ''
    end
  end)
end

local function members(batch) return redis.call('LRANGE', key('batch:' .. batch .. ':members'), 0, -1) end

-- A batch has ended: its hash stays as long as its requests' would, its member list stands in the ledger.
-- With `keep_ms` the list stays that long: what lies in a spool for the batch is needed while one of them is.
local function close_batch(batch, state, keep_ms)
  redis.call('HSET', key('batch:' .. batch), 'state', state, 'ended_at', now)
  redis.call('EXPIRE', key('batch:' .. batch), retention_s)
  if keep_ms then redis.call('PEXPIRE', key('batch:' .. batch .. ':members'), keep_ms)
  else redis.call('DEL', key('batch:' .. batch .. ':members')) end
  redis.call('SREM', key('batches'), batch)
  redis.call('ZREM', key('work:delayed'), 'resume/' .. batch, 'collect/' .. batch)
  for task in string.gmatch(redis.call('HGET', key('batch:' .. batch), 'tracking_ids') or '', '%S+') do
    redis.call('ZREM', key('work:delayed'), 'poll/' .. batch .. '/' .. task)
  end
end
