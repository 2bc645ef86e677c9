-- Turns stream entries into requests (or visible rejections) and takes them off the stream, all in one step.
--   arg(1) the stream group · arg(2) what holds for people nobody has asked: "opted_in" or "opted_out" ·
--   arg(3) how long Mixpanel keeps events, in s · arg(4) in which forms the ids are sealed: "both" or "plain" only ·
--   arg(5) deletions that may be accepted in a day (UTC), 0 for any number;
--   then for each entry 14 arguments:
--     entry id · request id · kind · regulation · disclosure · number of ids · received_at · due_at ·
--     due (Unix s) · tags · sealed ids (for an opt_in: its event, sealed) · target request (cancellation) ·
--     number of sealed ids · of a signed document, the day (yyyy-mm-dd) and the nonce
--   A refused document has kind "rejected", and its reason in the place of `target`; its request id is the entry id.
-- Returns {new, already known, rejected}; or {-1}, and nothing has happened, when the ids are sealed as they are though
-- ids of this project have left as keyed hashes: seal both forms, and ask again.
--
-- Hundreds of documents come in one call, and it decides how fast the whole service takes them in: what can be
-- read or written for all of them at once is.
local group_name, call, gmatch = arg(1), redis.call, string.gmatch
local consent_default, events_kept_s = arg(2), tonumber(arg(3))
local EVENTS_KEPT_UNTIL = iso(now_s + events_kept_s)
if arg(4) == 'plain' and call('EXISTS', key('ids:hashed')) == 1 then return { -1 } end
local FIRST, STEP, LAST = 11, 14, #ARGV
local REQUEST, USER, CHANGED = key('request:'), key('user:'), key('changed:')
local new, known, rejected, done, touched = 0, 0, 0, {}, {}

local function words(text)
  if text == '' then return {} end
  if not string.find(text, ' ', 1, true) then return { text } end
  local list = {}
  for word in gmatch(text, '%S+') do list[#list + 1] = word end
  return list
end

-- One look at all keys that the documents name: where none exists yet, which is the rule in a mass of documents,
-- none has to be read. What this call has made since stands in `made`.
local made, tags_of = {}, {}
local function none_exists(keys)
  local found = 0
  in_chunks(keys, function(chunk) found = found + call('EXISTS', unpack(chunk)) end)
  return found == 0
end
local fresh_requests, fresh_people
do
  local requests, people = {}, {}
  for i = FIRST, LAST, STEP do
    local tags = words(ARGV[i + 9])
    requests[#requests + 1], tags_of[i] = REQUEST .. ARGV[i + 1], tags
    for _, tag in ipairs(tags) do people[#people + 1] = USER .. tag end
  end
  fresh_requests, fresh_people = none_exists(requests), none_exists(people)
end
local function is_known(request) return made[request] or (not fresh_requests and call('EXISTS', request) == 1) end
local NOBODY = { false, false, false, false, false, false }
local function known_of(user)
  if fresh_people and not made[user] then return NOBODY end
  return call('HMGET', user, 'open', 'requests', 'events_retained_until', 'consent', 'purged_to', 'consent_entry')
end

-- Index entries are gathered and written together, and documents that came in alike share an event.
-- Whatever takes out an index entry calls `write` first.
local sealed, due, open_in, events, event_of = {}, {}, {}, {}, {}
local MOST_TAGS = 2000
local function write()
  for _, e in ipairs(events) do
    local r = e.like
    record({ 'requests', table.concat(e.ids, ' '), 'kind', r.kind, 'to', e.status, 'why', r.why or '',
      'regulation', r.regulation or '', 'received_at', r.received_at or '', 'due_at', r.due_at or '',
      'tags', table.concat(e.tags, ' '), 'merged_into', table.concat(e.covers, ' ') })
  end
  in_chunks(sealed, function(chunk) call('HSET', key('sealed'), unpack(chunk)) end)
  in_chunks(due, function(chunk) call('ZADD', key('due'), unpack(chunk)) end)
  for group, members in pairs(open_in) do
    in_chunks(members, function(chunk) call('ZADD', key('open:' .. group), unpack(chunk)) end)
  end
  sealed, due, open_in, events, event_of = {}, {}, {}, {}, {}
end
local function note_index(list, first, second)
  local n = #list
  list[n + 1], list[n + 2] = first, second
end
local function note_event(id, status, r)
  local likeness = table.concat({ status, r.kind, r.why or '', r.received_at or '', r.due_at or '', r.regulation or '' }, '\n')
  local e = event_of[likeness]
  if not e or e.size > MOST_TAGS then
    e = { size = 0, status = status, like = r, ids = {}, tags = {}, covers = {} }
    events[#events + 1], event_of[likeness] = e, e
  end
  local n = #e.ids + 1
  e.size = e.size + #r.tags
  -- A word for each request: the tags of one request are joined by commas. Of those that are merged, all have a cover.
  e.ids[n], e.tags[n] = id, r.tags[2] and table.concat(r.tags, ',') or r.tags[1]
  e.covers[n] = r.cover
end

-- `fields`: flat list of further fields of the hash, none of them empty.
local function create(id, status, r, fields)
  local request = REQUEST .. id
  made[request] = true
  note_event(id, status, r)
  call('HSET', request, 'kind', r.kind, 'status', status, 'updated_at', now, unpack(fields))
  if not OPEN[status] then call('EXPIRE', request, retention_s) end
  count(r.kind .. '.' .. status, 1)
  call('PUBLISH', CHANGED .. id, status)
end

local function reject(id, reason)
  create(id, 'rejected', { kind = 'unknown', why = reason, tags = {} }, { 'reason', reason })
  call('XADD', key('rejected'), '*', 'request', id, 'reason', reason)
  rejected = rejected + 1
end

-- Whether an open request names all of these tags, and none of them has opted in since it was accepted.
local function covers(id, tags)
  local r = call('HMGET', REQUEST .. id, 'tags', 'opted_in_since')
  if r[2] then return false end
  local have = ' ' .. (r[1] or '') .. ' '
  for _, tag in ipairs(tags) do
    if not string.find(have, ' ' .. tag .. ' ', 1, true) then return false end
  end
  return true
end

-- An open request of the same group that stands for all these ids, if there is one.
local function find_cover(open, group, tags)
  for g, id in gmatch(open, '([^=%s]+)=(%S+)') do
    if g == group and covers(id, tags) then return id end
  end
end

-- What a person says holds at once, and for what was enqueued before they said it, too: once somebody is in again, events up
-- to `purged_to` (ms) are never delivered. Both streams name their entries by the same clock.
local MONTH_MS = 30 * 86400000
local function said_at(entry)
  local ms, seq = moment_of(entry)
  if ms <= now_ms and ms > now_ms - MONTH_MS then return ms, seq, entry end
  return now_ms, 0, string.format('%.0f-0', now_ms)
end
-- Documents may be taken in out of their order, by two replicas or after a crash: the later word counts, by its entry.
-- Returns whether this is the later one.
local function note_consent(set, have, consent, entry)
  local ms, seq, name = said_at(entry)
  local last_ms, last_seq = 0, 0
  if have[6] then last_ms, last_seq = moment_of(have[6]) end
  local before = have[4] or consent_default
  local overtaken = last_ms > ms or (last_ms == ms and last_seq > seq)
  local out_until
  if overtaken then out_until = consent == 'opted_out' and before == 'opted_in' and last_ms
  else out_until = consent == 'opted_in' and before == 'opted_out' and ms end
  if out_until then note_index(set, 'purged_to', string.format('%.0f', math.max(out_until, tonumber(have[5] or '0')))) end
  if overtaken then return false end
  local n = #set
  set[n + 1], set[n + 2], set[n + 3], set[n + 4] = 'consent', consent, 'consent_at', now
  note_index(set, 'consent_entry', name)
  return true
end

-- An opt-in came after these deletions: what is delivered from now on may be out of their reach, so a later deletion is
-- not the same as one of them.
local function outlive_deletions(open)
  for group, id in gmatch(open, '([^=%s]+)=(%S+)') do
    if kind_of(group) == 'deletion' then call('HSET', REQUEST .. id, 'opted_in_since', now) end
  end
end

-- Events of who is out now go from the queue, too: one look for all of this call.
local anybody_out = false

-- The user hash of each of the person's ids: the requests that named it (newest last), with `group` the state of this kind
-- and what is open, with `consent` what was said in `entry`.
-- Returns whether nothing later had been said by any of these ids.
local function note_person(tags, open, kind, group, id, consent, entry)
  local in_force = true
  for _, tag in ipairs(tags) do
    local user, list = USER .. tag, id
    local have = open[tag] or known_of(user)
    if have[2] then
      list = have[2] .. ' ' .. id
      local _, blanks = string.gsub(list, ' ', ' ')
      if blanks >= 50 then list = string.match(list, '^%S+ (.*)$') end
    end
    made[user] = true
    -- Once somebody is out there is nothing new to keep: the time stands still.
    local kept_until = have[3]
    if not kept_until or (consent == 'opted_out' and have[4] ~= consent) then kept_until = EVENTS_KEPT_UNTIL end
    local set = { 'requests', list, 'events_retained_until', kept_until }
    if group then
      local n = #set
      set[n + 1], set[n + 2], set[n + 3], set[n + 4] = kind, 'queued', kind .. '_at', now
      set[n + 5], set[n + 6] = 'open', (have[1] and have[1] .. ' ' or '') .. group .. '=' .. id
    end
    if consent then
      local latest = note_consent(set, have, consent, entry)
      in_force = in_force and latest
      if latest and consent == 'opted_in' and have[1] then outlive_deletions(have[1]) end
    end
    call('HSET', user, unpack(set))
    if (group or consent) and have ~= NOBODY then call('PERSIST', user) end
  end
  anybody_out = anybody_out or consent == 'opted_out'
  return in_force
end

-- A copy was asked for: deletions of the same person that are not on their way yet wait for it.
local function hold_back_deletions(open, retrieval)
  for _, have in pairs(open) do
    for group, id in gmatch(have[1] or '', '([^=%s]+)=(%S+)') do
      if kind_of(group) == 'deletion' and call('HGET', REQUEST .. id, 'status') == 'queued' then
        write()
        leave_queue(id)
        call('SADD', key('waiting:' .. retrieval), id)
        call('HSET', REQUEST .. id, 'reason', 'waits for retrieval ' .. retrieval)
        record({ 'requests', id, 'why', 'waits for retrieval ' .. retrieval })
      end
    end
  end
end

-- The open retrieval that a deletion of this person has to wait for.
local function retrieval_in(open)
  for group, id in gmatch(open, '([^=%s]+)=(%S+)') do
    if kind_of(group) == 'retrieval' then return id end
  end
end

-- The open deletion after which one of its people has opted in.
local function outlived_in(open)
  for group, id in gmatch(open, '([^=%s]+)=(%S+)') do
    if kind_of(group) == 'deletion' and call('HEXISTS', REQUEST .. id, 'opted_in_since') == 1 then return id end
  end
end

-- Puts an earlier deadline in the place of a request's own. `also`: flat list of further fields that change with it.
local function bring_forward(id, r, due_s, why, also)
  call('ZADD', key('due'), 'XX', due_s, id)
  call('ZADD', key('open:' .. main_group(r.kind, r.regulation, r.disclosure)), 'XX', due_s, id)
  call('HSET', REQUEST .. id, 'due_at', r.due_at, 'updated_at', now, unpack(also or {}))
  record({ 'requests', id, 'kind', r.kind, 'due_at', r.due_at, 'why', why, unpack(also or {}) })
end

-- The earlier deadline of the two is the one to keep.
local function keep_earlier(cover, id, r, due_s)
  if made[REQUEST .. cover] then write() end
  local until_now = call('ZSCORE', key('due'), cover)
  if until_now and tonumber(due_s) < tonumber(until_now) then
    bring_forward(cover, r, due_s, 'request ' .. id .. ', merged into it, is due earlier')
  end
end

-- A copy of a document changes nothing, unless it is the one that stood on the stream first and is taken in last, by another
-- replica: the legal clock began with that one. (Times of this one form sort as text.)
local function hear_copy(id, r, due_s)
  local have = call('HMGET', REQUEST .. id, 'kind', 'regulation', 'tags', 'due_at')
  if have[1] ~= r.kind or have[2] ~= r.regulation or (have[3] or '') ~= table.concat(r.tags, ' ') then return end
  if have[4] and r.due_at < have[4] then
    if made[REQUEST .. id] then write() end
    bring_forward(id, r, due_s, 'the same document had come earlier', { 'received_at', r.received_at })
  end
end

-- A mistake or a thief could ask for the deletion of everybody: what is over the day's number waits for a person.
local per_day, today = tonumber(arg(5)), key('deletions:' .. string.sub(now, 1, 10))
local accepted_today, capped = nil, {}
local function over_the_cap()
  if per_day == 0 then return false end
  accepted_today = accepted_today or tonumber(call('GET', today) or '0')
  if accepted_today >= per_day then return true end
  accepted_today = accepted_today + 1
  return false
end
local function hold_capped()
  if accepted_today then call('SET', today, accepted_today, 'EX', 172800) end
  if #capped == 0 then return end
  local why = per_day .. ' deletions were accepted today (GDPR_DELETIONS_PER_DAY): a person must confirm this one'
  local moved = {}
  for _, id in ipairs(capped) do note_move(moved, move(id, 'held', { 'reason', why }), id) end
  record_moves(moved, { 'kind', 'deletion', 'to', 'held', 'why', why })
  in_chunks(capped, function(chunk) call('SADD', key('deletions:capped'), unpack(chunk)) end)
end

local function accept_task(id, r, ids, due_s, sealed_ids, entry, sealed_count)
  local group = main_group(r.kind, r.regulation, r.disclosure)
  local open, waits, outlived = {}, nil, nil
  for _, tag in ipairs(r.tags) do
    local have = known_of(USER .. tag)
    open[tag] = have
    if r.kind == 'deletion' and have[1] then
      waits, outlived = waits or retrieval_in(have[1]), outlived or outlived_in(have[1])
    end
  end
  local fields = { 'regulation', r.regulation, 'disclosure_type', r.disclosure, 'distinct_ids', ids,
    'received_at', r.received_at, 'due_at', r.due_at, 'attempts', '0', 'tags', table.concat(r.tags, ' ') }
  if sealed_count ~= ids then note_index(fields, 'task_ids', sealed_count) end
  -- Nobody's data is collected anew while it is being erased.
  local consent = r.kind == 'deletion' and 'opted_out' or nil
  local first = open[r.tags[1]][1]
  local cover = first and find_cover(first, group, r.tags)
  if cover then
    r.why, r.cover = 'merged into a request that is open for the same ids', cover
    note_index(fields, 'merged_into', cover)
    note_index(fields, 'reason', 'request ' .. cover .. ' is open for the same ids')
    create(id, 'merged', r, fields)
    note_person(r.tags, open, r.kind, nil, id, consent, entry)
    keep_earlier(cover, id, r, due_s)
    return
  end
  local over = r.kind == 'deletion' and over_the_cap()
  local wire = r.kind == 'deletion' and not over and not waits and on_wire(r.tags)
  if (waits or wire) and not over then
    r.why = waits and 'waits for retrieval ' .. waits or WAITS_FOR_WIRE
    note_index(fields, 'reason', r.why)
  end
  -- Should Mixpanel name a task that is live already, that one is from before the opt-in: see `adopt`.
  if outlived then
    r.why = r.why or 'an opt-in came after deletion ' .. outlived .. ': stands by itself'
    note_index(fields, 'own_task', 'yes')
  end
  create(id, 'queued', r, fields)
  note_index(sealed, id, sealed_ids)
  note_index(due, due_s, id)
  if r.kind == 'retrieval' then hold_back_deletions(open, id) end
  local in_force = note_person(r.tags, open, r.kind, group, id, consent, entry)
  -- Taken in late, after the opt-in that came after it.
  if consent and not in_force then call('HSET', REQUEST .. id, 'opted_in_since', now) end
  if over then
    capped[#capped + 1] = id
  elseif waits then
    call('SADD', key('waiting:' .. waits), id)
  elseif wire then
    wait_for_wire(id, wire)
  else
    open_in[group], touched[group] = open_in[group] or {}, (touched[group] or 0) + 1
    note_index(open_in[group], due_s, id)
  end
end

-- In force at once; completed when nothing that was on its way before can arrive any more.
local function accept_consent(id, r, ids, due_s, sealed_event, entry)
  local consent = r.kind == 'opt_out' and 'opted_out' or 'opted_in'
  local in_force = note_person(r.tags, {}, r.kind, nil, id, consent, entry)
  local fields = { 'regulation', r.regulation, 'distinct_ids', ids, 'received_at', r.received_at,
    'due_at', r.due_at, 'tags', table.concat(r.tags, ' ') }
  local wire = consent == 'opted_out' and on_wire(r.tags)
  if wire then
    r.why = consent .. '; ' .. WAITS_FOR_WIRE
    note_index(fields, 'reason', WAITS_FOR_WIRE)
    note_index(due, due_s, id)
  elseif not in_force then
    r.why = 'overtaken by what was said later'
    note_index(fields, 'reason', r.why)
  else
    r.why = consent
  end
  create(id, wire and 'queued' or 'completed', r, fields)
  if wire then wait_for_wire(id, wire) end
  if consent == 'opted_in' and in_force then call('XADD', key('events'), '*', 'opt_in', sealed_event, 'request', id) end
end

-- A cancellation is decided by a job of its own: its target may still be on the way in.
local function accept_cancellation(id, r, due_s, target)
  r.why = 'asks to cancel ' .. target
  create(id, 'queued', r, { 'regulation', r.regulation, 'received_at', r.received_at, 'due_at', r.due_at,
    'request_id', target })
  note_index(due, due_s, id)
  schedule('cancel/' .. id, now_ms)
end

-- Whether another entry has used the nonce of this document: then it is a copy. The day is that of the signature, so the copy has
-- the same; no signature is accepted so long after that day that its nonces are forgotten.
local NONCES_KEPT_S = 35 * 86400
local function is_copy(entry, nonce)
  local day, name = string.match(nonce, '^(%S+) (%S+)$')
  if not day then return false end
  local nonces = key('nonces:' .. day)
  if call('HSETNX', nonces, name, entry) == 0 then return call('HGET', nonces, name) ~= entry end
  call('EXPIRE', nonces, NONCES_KEPT_S)
  return false
end

for i = FIRST, LAST, STEP do
  local id, kind = ARGV[i + 1], ARGV[i + 2]
  local r = { kind = kind, regulation = ARGV[i + 3], disclosure = ARGV[i + 4], received_at = ARGV[i + 6], due_at = ARGV[i + 7], tags = tags_of[i] }
  if is_known(REQUEST .. id) then
    if kind ~= 'rejected' then hear_copy(id, r, ARGV[i + 8]) end
    known = known + 1
  elseif kind == 'rejected' then
    reject(id, ARGV[i + 11])
  elseif is_copy(ARGV[i], ARGV[i + 13]) then
    -- Told again, because the answer was lost: it is refused already.
    if not is_known(REQUEST .. ARGV[i]) then
      reject(ARGV[i], 'its nonce was used before: expected a new one for each document')
    end
  else
    if kind == 'cancellation' then accept_cancellation(id, r, ARGV[i + 8], ARGV[i + 11])
    elseif kind == 'opt_out' or kind == 'opt_in' then accept_consent(id, r, ARGV[i + 5], ARGV[i + 8], ARGV[i + 10], ARGV[i])
    else accept_task(id, r, ARGV[i + 5], ARGV[i + 8], ARGV[i + 10], ARGV[i], ARGV[i + 12]) end
    new = new + 1
  end
  done[#done + 1] = ARGV[i]
end
write()
hold_capped()
if anybody_out then schedule('purge', now_ms + 5000) end
for group, added in pairs(touched) do
  call('SADD', key('groups'), group)
  local waiting, enough = call('ZCARD', key('open:' .. group)), full[kind_of(group)]
  -- Asked for once, when the batch has become full: while that is on its way the next one fills.
  local is_full = waiting >= enough and waiting - added < enough
  schedule_submit(group, is_full and now_ms or now_ms + linger_ms)
end
if #done > 0 then
  call('XACK', key('requests'), group_name, unpack(done))
  call('XDEL', key('requests'), unpack(done))
end
finish()
return { new, known, rejected }
