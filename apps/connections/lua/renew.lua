-- Heartbeats of one gateway process, many at once: compare and renew.
-- ARGV: server_id, ttl in s, then for each: user, device, connection_id, connected_at_ms, epoch, receipts written up to
-- Returns for each: "ok" or "newer" (another connection of the device has come since), epoch or "", counter
local server, ttl = ARGV[1], ARGV[2]
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local time = redis.call('TIME')
local now_ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local answer = {}
for i = 3, #ARGV, 6 do
  local user, device, id = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local registry = 'connections:{' .. user .. '}'
  local suffix = ':{' .. user .. '}:' .. device
  local current = redis.call('HGET', registry, device)
  local status = 'ok'
  if current and tonumber(string.match(current, '^%S+ (%d+)')) > tonumber(id) then
    status = 'newer'
  else
    redis.call('HSET', registry, device, server .. ' ' .. id .. ' ' .. ARGV[i + 3])
    redis.call('HEXPIRE', registry, ttl, 'FIELDS', 1, device)
    redis.call('SET', 'presence:{' .. user .. '}', '1', 'EX', ttl)
  end
  local meta = redis.call('HMGET', 'inboxmeta' .. suffix, 'epoch', 'counter', 'looked_ms')
  local epoch = meta[1]
  if not epoch or string.sub(epoch, 1, 8) ~= run then epoch = '' end
  if status == 'ok' and epoch ~= '' and epoch == ARGV[i + 4] then
    -- Receipts that were on the socket at the look before have had a whole heartbeat to arrive.
    local written = redis.call('ZRANGEBYSCORE', 'receipts' .. suffix, '-inf', ARGV[i + 5])
    if #written > 0 then
      redis.call('ZREMRANGEBYSCORE', 'receipts' .. suffix, '-inf', ARGV[i + 5])
      for first = 1, #written, 1000 do
        redis.call('HDEL', 'receiptframes' .. suffix, unpack(written, first, math.min(first + 999, #written)))
      end
    end
    redis.call('HSET', 'inboxmeta' .. suffix, 'acked_ms', meta[3] or '0', 'looked_ms', now_ms)
  end
  answer[#answer + 1] = {status, epoch, meta[2] or '0'}
end
return answer
