-- One step of rebuilding an inbox. From "begin" on, before the Message DB is read, refused changes are kept (apply.lua); the
-- last step adds them and gives the inbox its epoch. Nobody can put before.
-- ARGV: user, device, lock token, step ("begin", "first", "more", "last"), random part of the epoch, then kind, member, frame triples
-- Returns: the epoch after "last", "" before; "lost" where the lock is no longer held.
local user, device, token, step = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('GET', 'inboxlock:{' .. user .. '}') ~= token then return 'lost' end
local suffix = ':{' .. user .. '}:' .. device
if step == 'begin' then
  redis.call('DEL', 'inboxlate' .. suffix)
  redis.call('HDEL', 'inboxmeta' .. suffix, 'epoch')
  return ''
end
if step == 'first' then
  redis.call('DEL', 'inbox' .. suffix, 'receipts' .. suffix, 'receiptframes' .. suffix)
  redis.call('HDEL', 'inboxmeta' .. suffix, 'epoch')
  redis.call('HSET', 'inboxmeta' .. suffix, 'counter', 0)
end
local function add(kind, member, frame)
  if kind == 'm' and redis.call('ZSCORE', 'inbox' .. suffix, member) then return end
  -- An event of a group stands among the messages, and never changes (EVENT_PREFIX in apps/delivery/frames.py).
  local is_event = kind == 'r' and string.sub(member, 1, 2) == 'g:'
  if is_event and redis.call('ZSCORE', 'receipts' .. suffix, member) then return end
  local counter = redis.call('HINCRBY', 'inboxmeta' .. suffix, 'counter', 1)
  if kind == 'm' then
    redis.call('ZADD', 'inbox' .. suffix, counter, member)
  else
    redis.call('ZADD', 'receipts' .. suffix, counter, member)
    redis.call('HSET', 'receiptframes' .. suffix, member, frame)
  end
end
for i = 6, #ARGV, 3 do add(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
redis.call('EXPIRE', 'inboxlock:{' .. user .. '}', 10)
if step ~= 'last' then return '' end
local late = redis.call('LRANGE', 'inboxlate' .. suffix, 0, -1)
for i = 1, #late, 3 do add(late[i], late[i + 1], late[i + 2]) end
redis.call('DEL', 'inboxlate' .. suffix)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local epoch = run .. '-' .. ARGV[5]
redis.call('HSET', 'inboxmeta' .. suffix, 'epoch', epoch)
return epoch
