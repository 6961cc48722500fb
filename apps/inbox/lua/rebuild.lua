-- Writes one step of a rebuilt inbox; nobody can put before the last step gave it its epoch.
-- ARGV: user, device, lock token, step ("first", "more", "last"), random part of the epoch, then kind, member, frame triples
-- Returns: the epoch after "last", "" before; "lost" where the lock is no longer held.
local user, device, token, step = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('GET', 'inboxlock:{' .. user .. '}') ~= token then return 'lost' end
local suffix = ':{' .. user .. '}:' .. device
if step == 'first' then
  redis.call('DEL', 'inbox' .. suffix, 'receipts' .. suffix, 'receiptframes' .. suffix)
  redis.call('HDEL', 'inboxmeta' .. suffix, 'epoch')
  redis.call('HSET', 'inboxmeta' .. suffix, 'counter', 0)
end
for i = 6, #ARGV, 3 do
  local counter = redis.call('HINCRBY', 'inboxmeta' .. suffix, 'counter', 1)
  if ARGV[i] == 'm' then
    redis.call('ZADD', 'inbox' .. suffix, counter, ARGV[i + 1])
  else
    redis.call('ZADD', 'receipts' .. suffix, counter, ARGV[i + 1])
    redis.call('HSET', 'receiptframes' .. suffix, ARGV[i + 1], ARGV[i + 2])
  end
end
redis.call('EXPIRE', 'inboxlock:{' .. user .. '}', 30)
if step ~= 'last' then return '' end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local epoch = run .. '-' .. ARGV[5]
redis.call('HSET', 'inboxmeta' .. suffix, 'epoch', epoch)
return epoch
