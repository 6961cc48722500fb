-- Takes or renews a group's lease, and commits positions with it: upwards only, and only in the generation they are of.
-- ARGV: group, reader, ttl in ms, now in ms or "" (no mark), generation of the positions, then partition, position pairs
-- Returns "held" or, with nothing done, who else holds it; then the generation of the log, "" if it is not set up.
local key = 'log:lease:' .. ARGV[1]
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[2] then return {holder, ''} end
redis.call('SET', key, ARGV[2], 'PX', ARGV[3])
local generation = redis.call('GET', 'log:generation') or ''
local positions = 'log:committed:' .. ARGV[1]
if generation == ARGV[5] then
  for i = 6, #ARGV, 2 do
    local before = redis.call('HGET', positions, ARGV[i])
    if not before or tonumber(before) < tonumber(ARGV[i + 1]) then redis.call('HSET', positions, ARGV[i], ARGV[i + 1]) end
  end
end
if ARGV[4] ~= '' then
  -- When was a position first seen committed? What is older than the retention may go, whether or not traffic goes on.
  local all = redis.call('HGETALL', positions)
  for i = 1, #all, 2 do redis.call('ZADD', 'log:marks:' .. all[i], 'NX', ARGV[4], all[i + 1]) end
end
return {'held', generation}
