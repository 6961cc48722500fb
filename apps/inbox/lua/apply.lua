-- One batch of changes to inboxes: put messages and receipts, remove what was confirmed. Each change may be repeated.
-- ARGV for each change: user, device, kind, member, frame
--   kind "m": member = message id, frame unused;  "r": member = coalescing key, frame = its text;  "x": remove message id
-- A later receipt takes the place of the one with its key, at the end; what never changes keeps its place.
-- Returns for each: {} for "x"; else {epoch, counter, server_id or ""}; epoch "" and counter 0 where the inbox has no
-- current epoch: then nothing was put, and whoever drains it next rebuilds it from the Message DB.
-- What concerns one device is read and written together: a call from Lua costs more than what it does.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local CHUNK = 1000

local function call_in_chunks(command, key, list)
  for first = 1, #list, CHUNK do
    redis.call(command, key, unpack(list, first, math.min(first + CHUNK - 1, #list)))
  end
end

-- Messages, and events of groups (EVENT_PREFIX in apps/delivery/frames.py), which stand among them.
local function keeps_place(kind, member)
  return kind == 'm' or kind == 'r' and string.sub(member, 1, 2) == 'g:'
end

local devices, order = {}, {}
for i = 1, #ARGV, 5 do
  local user = ARGV[i]
  local suffix = ':{' .. user .. '}:' .. ARGV[i + 1]
  local device = devices[suffix]
  if not device then
    device = {user = user, name = ARGV[i + 1], members = {}, events = {}, added = {}, removed = {}, receipts = {}, frames = {}}
    devices[suffix] = device
    order[#order + 1] = suffix
  end
  if keeps_place(ARGV[i + 2], ARGV[i + 3]) then
    local list = ARGV[i + 2] == 'm' and device.members or device.events
    list[#list + 1] = ARGV[i + 3]
  end
  if ARGV[i + 2] == 'x' then device.removed[#device.removed + 1] = ARGV[i + 3] else device.puts = true end
end

local function find_places(key, members, places)
  for first = 1, #members, CHUNK do
    local last = math.min(first + CHUNK - 1, #members)
    local scores = redis.call('ZMSCORE', key, unpack(members, first, last))
    for index = first, last do places[members[index]] = tonumber(scores[index - first + 1] or nil) end
  end
end

for _, suffix in ipairs(order) do
  local device = devices[suffix]
  if device.puts then
    local meta = redis.call('HMGET', 'inboxmeta' .. suffix, 'epoch', 'counter')
    device.epoch = meta[1] and string.sub(meta[1], 1, 8) == run and meta[1] or ''
    device.counter = tonumber(meta[2] or '0')
    local connection = redis.call('HGET', 'connections:{' .. device.user .. '}', device.name)
    device.server = connection and string.match(connection, '^(%S+) ') or ''
    device.places = {}
    if device.epoch ~= '' then
      find_places('inbox' .. suffix, device.members, device.places)
      find_places('receipts' .. suffix, device.events, device.places)
    elseif meta[1] then
      -- Refused now, so never current again: a slot or a failover may come back to the server that made it.
      redis.call('HDEL', 'inboxmeta' .. suffix, 'epoch')
    end
  end
end

local answer = {}
for i = 1, #ARGV, 5 do
  local kind, member, frame = ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local suffix = ':{' .. ARGV[i] .. '}:' .. ARGV[i + 1]
  local device = devices[suffix]
  if kind == 'x' then
    answer[#answer + 1] = {}
  elseif device.epoch == '' then
    -- A rebuild that has read the Message DB already would miss this one: it adds what came late at its last step.
    if redis.call('EXISTS', 'inboxlock:{' .. device.user .. '}') == 1 then
      redis.call('RPUSH', 'inboxlate' .. suffix, kind, member, frame)
      redis.call('EXPIRE', 'inboxlate' .. suffix, 60)
    end
    answer[#answer + 1] = {'', 0, device.server}
  else
    local counter = device.places[member]
    if not counter then
      counter = device.counter + 1
      device.counter = counter
      local list = kind == 'm' and device.added or device.receipts
      list[#list + 1] = counter
      list[#list + 1] = member
      if keeps_place(kind, member) then device.places[member] = counter end
      if kind == 'r' then
        device.frames[#device.frames + 1] = member
        device.frames[#device.frames + 1] = frame
      end
    end
    answer[#answer + 1] = {device.epoch, counter, device.server}
  end
end

for _, suffix in ipairs(order) do
  local device = devices[suffix]
  if #device.added + #device.receipts > 0 then
    redis.call('HSET', 'inboxmeta' .. suffix, 'counter', device.counter)
    call_in_chunks('ZADD', 'inbox' .. suffix, device.added)
    call_in_chunks('ZADD', 'receipts' .. suffix, device.receipts)
    call_in_chunks('HSET', 'receiptframes' .. suffix, device.frames)
  end
  call_in_chunks('ZREM', 'inbox' .. suffix, device.removed)
end
return answer
