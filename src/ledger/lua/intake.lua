-- Turns stream entries into requests (or visible rejections) and takes them off the stream, all in one step.
--   arg(1) the stream group, then for each entry 12 arguments:
--     entry id · request id · kind · regulation · disclosure · number of ids · received_at · due_at ·
--     due (Unix s) · tags · sealed ids · target request (cancellation)
--   A refused document has kind "rejected", and its reason in the place of `target`; its request id is the entry id.
-- Returns {new, already known, rejected}.
local group_name = arg(1)
local done, touched, new, known, rejected = {}, {}, 0, 0, 0

local function has_all(id, tags)
  local have = ' ' .. (redis.call('HGET', key('request:' .. id), 'tags') or '') .. ' '
  for tag in string.gmatch(tags, '%S+') do
    if not string.find(have, ' ' .. tag .. ' ', 1, true) then return false end
  end
  return true
end

-- An open request of the same group that stands for all these ids, if there is one.
local function find_cover(open, group, tags)
  for g, id in string.gmatch(open, '([^=%s]+)=(%S+)') do
    if g == group and has_all(id, tags) then return id end
  end
end

local function create(id, status, fields, request)
  local set = { 'kind', request.kind, 'status', status, 'updated_at', now }
  for i = 1, #fields, 2 do
    if fields[i + 1] ~= '' then set[#set + 1] = fields[i]; set[#set + 1] = fields[i + 1] end
  end
  redis.call('HSET', key('request:' .. id), unpack(set))
  if not OPEN[status] then redis.call('EXPIRE', key('request:' .. id), retention_s) end
  count(request.kind .. '.' .. status, 1)
  record({ 'requests', id, 'kind', request.kind, 'to', status, 'why', request.why, 'regulation', request.regulation,
    'received_at', request.received_at, 'due_at', request.due_at, 'tags', request.tags })
  redis.call('PUBLISH', key('changed:' .. id), status)
end

local function reject(id, reason)
  create(id, 'rejected', { 'reason', reason }, { kind = 'unknown', why = reason })
  redis.call('XADD', key('rejected'), '*', 'request', id, 'reason', reason)
  rejected = rejected + 1
end

-- The user hash of each of the person's ids: state of this kind, and the requests that named it (newest last).
local function note_person(tags, open, kind, group, id, status)
  for tag in string.gmatch(tags, '%S+') do
    local user = key('user:' .. tag)
    local have = open[tag] or redis.call('HMGET', user, 'open', 'requests')
    local list, words = (have[2] and have[2] .. ' ' or '') .. id, 0
    for _ in string.gmatch(list, '%S+') do words = words + 1 end
    if words > 50 then list = string.match(list, '^%S+ (.*)$') end
    local set = { 'requests', list }
    if status == 'queued' then
      set[#set + 1] = kind; set[#set + 1] = status
      set[#set + 1] = kind .. '_at'; set[#set + 1] = now
      set[#set + 1] = 'open'; set[#set + 1] = (have[1] and have[1] .. ' ' or '') .. group .. '=' .. id
    end
    redis.call('HSET', user, unpack(set))
    if status == 'queued' then redis.call('PERSIST', user) end
  end
end

-- A copy was asked for: deletions of the same person that are not on their way yet wait for it.
local function hold_back_deletions(open, retrieval)
  for _, have in pairs(open) do
    for group, id in string.gmatch(have[1] or '', '([^=%s]+)=(%S+)') do
      if kind_of(group) == 'deletion' and redis.call('HGET', key('request:' .. id), 'status') == 'queued' then
        leave_queue(id)
        redis.call('SADD', key('waiting:' .. retrieval), id)
        redis.call('HSET', key('request:' .. id), 'reason', 'waits for retrieval ' .. retrieval)
        record({ 'requests', id, 'why', 'waits for retrieval ' .. retrieval })
      end
    end
  end
end

local function accept_task(id, r)
  local group = main_group(r.kind, r.regulation, r.disclosure)
  local open, first, waits = {}, nil, nil
  for tag in string.gmatch(r.tags, '%S+') do
    open[tag] = redis.call('HMGET', key('user:' .. tag), 'open', 'requests')
    first = first or tag
    if r.kind == 'deletion' and not waits then
      for g, other in string.gmatch(open[tag][1] or '', '([^=%s]+)=(%S+)') do
        if kind_of(g) == 'retrieval' then waits = other; break end
      end
    end
  end
  local base = { 'regulation', r.regulation, 'disclosure_type', r.disclosure, 'distinct_ids', r.ids,
    'received_at', r.received_at, 'due_at', r.due_at, 'attempts', '0', 'tags', r.tags }
  local cover = open[first][1] and find_cover(open[first][1], group, r.tags)
  if cover then
    base[#base + 1] = 'merged_into'; base[#base + 1] = cover
    base[#base + 1] = 'reason'; base[#base + 1] = 'request ' .. cover .. ' is open for the same ids'
    r.why = 'merged into ' .. cover
    create(id, 'merged', base, r)
    note_person(r.tags, open, r.kind, group, id, 'merged')
    -- The earlier deadline of the two is the one to keep.
    local due = redis.call('ZSCORE', key('due'), cover)
    if due and tonumber(r.due) < tonumber(due) then
      redis.call('ZADD', key('due'), 'XX', r.due, cover)
      redis.call('ZADD', key('open:' .. group), 'XX', r.due, cover)
      redis.call('HSET', key('request:' .. cover), 'due_at', r.due_at, 'updated_at', now)
      record({ 'requests', cover, 'kind', r.kind, 'due_at', r.due_at, 'why', 'request ' .. id .. ', merged into it, is due earlier' })
    end
    return
  end
  if waits then
    base[#base + 1] = 'reason'; base[#base + 1] = 'waits for retrieval ' .. waits
    r.why = 'waits for retrieval ' .. waits
  end
  create(id, 'queued', base, r)
  redis.call('HSET', key('sealed'), id, r.sealed)
  redis.call('ZADD', key('due'), r.due, id)
  if r.kind == 'retrieval' then hold_back_deletions(open, id) end
  note_person(r.tags, open, r.kind, group, id, 'queued')
  if waits then
    redis.call('SADD', key('waiting:' .. waits), id)
  else
    redis.call('ZADD', key('open:' .. group), r.due, id)
    touched[group] = true
  end
end

local function accept_consent(id, r)
  local consent = r.kind == 'opt_out' and 'opted_out' or 'opted_in'
  for tag in string.gmatch(r.tags, '%S+') do
    redis.call('HSET', key('user:' .. tag), 'consent', consent, 'consent_at', now)
    redis.call('PERSIST', key('user:' .. tag))
  end
  note_person(r.tags, {}, r.kind, '', id, 'completed')
  r.why = consent
  create(id, 'completed', { 'regulation', r.regulation, 'distinct_ids', r.ids, 'received_at', r.received_at,
    'due_at', r.due_at, 'tags', r.tags }, r)
end

-- A cancellation is decided by a job of its own: its target may still be on the way in.
local function accept_cancellation(id, r)
  r.why = 'asks to cancel ' .. r.target
  create(id, 'queued', { 'regulation', r.regulation, 'received_at', r.received_at, 'due_at', r.due_at,
    'request_id', r.target }, r)
  redis.call('ZADD', key('due'), r.due, id)
  schedule('cancel/' .. id, now_ms)
end


for i = 2, #ARGV - 5, 12 do
  local entry, id, kind = arg(i), arg(i + 1), arg(i + 2)
  if redis.call('EXISTS', key('request:' .. id)) == 1 then
    known = known + 1
  elseif kind == 'rejected' then
    reject(id, arg(i + 11))
  else
    local r = { kind = kind, regulation = arg(i + 3), disclosure = arg(i + 4), ids = arg(i + 5), received_at = arg(i + 6),
      due_at = arg(i + 7), due = arg(i + 8), tags = arg(i + 9), sealed = arg(i + 10), target = arg(i + 11) }
    if kind == 'cancellation' then accept_cancellation(id, r)
    elseif kind == 'opt_out' or kind == 'opt_in' then accept_consent(id, r)
    else accept_task(id, r) end
    new = new + 1
  end
  done[#done + 1] = entry
end
for group in pairs(touched) do
  redis.call('SADD', key('groups'), group)
  local waiting = redis.call('ZCARD', key('open:' .. group))
  schedule_submit(group, waiting >= full[kind_of(group)] and now_ms or now_ms + linger_ms)
end
if #done > 0 then
  redis.call('XACK', key('requests'), group_name, unpack(done))
  redis.call('XDEL', key('requests'), unpack(done))
end
finish()
return { new, known, rejected }
