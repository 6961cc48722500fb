-- Deletes connections that ended, each only if it is still the registered one.
-- ARGV for each: user, device, connection_id. Returns for each 1 if it was, 0 if a newer one took its place
local answer = {}
for i = 1, #ARGV, 3 do
  local registry = 'connections:{' .. ARGV[i] .. '}'
  local current = redis.call('HGET', registry, ARGV[i + 1])
  local is_ours = current and string.match(current, '^%S+ (%d+)') == ARGV[i + 2]
  if is_ours then
    redis.call('HDEL', registry, ARGV[i + 1])
    if redis.call('EXISTS', registry) == 0 then redis.call('DEL', 'presence:{' .. ARGV[i] .. '}') end
  end
  answer[#answer + 1] = is_ours and 1 or 0
end
return answer
