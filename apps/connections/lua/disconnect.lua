-- Deletes connections that ended, each only if it is still the registered one.
-- ARGV for each: user, device, connection_id
for i = 1, #ARGV, 3 do
  local registry = 'connections:{' .. ARGV[i] .. '}'
  local current = redis.call('HGET', registry, ARGV[i + 1])
  if current and string.match(current, '^%S+ (%d+)') == ARGV[i + 2] then
    redis.call('HDEL', registry, ARGV[i + 1])
    if redis.call('EXISTS', registry) == 0 then redis.call('DEL', 'presence:{' .. ARGV[i] .. '}') end
  end
end
return 'ok'
