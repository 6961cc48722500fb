-- Groups whose turn it is to be counted. Whoever takes one has so many ms for it; then it is due again.
-- KEYS: groups:due. ARGV: ms that a count may take, how many at most. Returns their ids.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, group in ipairs(due) do
  redis.call('SET', 'group_counted:' .. group, '1', 'PX', 1000)
  redis.call('ZADD', KEYS[1], now + ARGV[1], group)
end
return due
