-- Takes or renews a group's lease, and commits positions with it. ARGV: group, reader, ttl in ms, now in ms or "" (no mark), then partition, position pairs
-- Returns "held" or, with nothing done, who else holds it; then the generation.
local key = 'log:lease:' .. ARGV[1]
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[2] then return {holder, ''} end
redis.call('SET', key, ARGV[2], 'PX', ARGV[3])
for i = 5, #ARGV, 2 do
  redis.call('HSET', 'log:committed:' .. ARGV[1], ARGV[i], ARGV[i + 1])
  if ARGV[4] ~= '' then redis.call('ZADD', 'log:marks:' .. ARGV[i], ARGV[4], ARGV[i + 1]) end
end
return {'held', redis.call('GET', 'log:generation') or ''}
