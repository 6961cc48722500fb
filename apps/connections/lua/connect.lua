-- Registers a device's new connection and reads where its inbox stands.
-- ARGV: user, device, server_id, ttl in s
-- Returns: connection_id, previous server_id or "", previous connection_id or "", epoch or "", counter, first waiting counter or ""
local user, device, server, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local registry = 'connections:{' .. user .. '}'
local suffix = ':{' .. user .. '}:' .. device

-- One clock, the server's, decides which of two connections is the newer.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local previous_server, previous_id = '', ''
local previous = redis.call('HGET', registry, device)
if previous then
  previous_server, previous_id = string.match(previous, '^(%S+) (%d+)')
  if tonumber(previous_id) >= now then now = tonumber(previous_id) + 1 end
end
local id = string.format('%.0f', now)
redis.call('HSET', registry, device, server .. ' ' .. id .. ' ' .. string.format('%.0f', time[1] * 1000))
redis.call('HEXPIRE', registry, ttl, 'FIELDS', 1, device)
redis.call('SET', 'presence:{' .. user .. '}', '1', 'EX', ttl)

local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local meta = redis.call('HMGET', 'inboxmeta' .. suffix, 'epoch', 'counter')
local epoch = meta[1]
if not epoch or string.sub(epoch, 1, 8) ~= run then
  return {id, previous_server, previous_id, '', '0', ''}
end
local first = ''
for _, name in ipairs({'inbox', 'receipts'}) do
  local waiting = redis.call('ZRANGE', name .. suffix, 0, 0, 'WITHSCORES')
  if waiting[2] and (first == '' or tonumber(waiting[2]) < tonumber(first)) then first = waiting[2] end
end
return {id, previous_server, previous_id, epoch, meta[2] or '0', first}
