-- Trims partitions behind the relay: what it committed and is older than the retention. ARGV: group, oldest time kept in ms, partitions
for partition = 0, tonumber(ARGV[3]) - 1 do
  local committed = redis.call('HGET', 'log:committed:' .. ARGV[1], partition)
  local marks = 'log:marks:' .. partition
  local old = redis.call('ZREVRANGEBYSCORE', marks, ARGV[2], '-inf', 'LIMIT', 0, 1)
  if committed and old[1] then
    local upto = math.min(tonumber(committed), tonumber(old[1]))
    redis.call('XTRIM', 'log:' .. partition, 'MINID', '=', '0-' .. string.format('%.0f', upto + 1))
    redis.call('ZREMRANGEBYSCORE', marks, '-inf', '(' .. ARGV[2])
  end
end
return 'ok'
