-- Confirmations of groups came in: whose messages may be counted now, and whose later, so that a sender hears at most
-- once a second. KEYS: groups:due, groups:confirmed. ARGV: ms that a count may take, then pairs of a group's id and the
-- lowest sequence that was confirmed. Returns the groups to count now.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {}
for i = 2, #ARGV, 2 do
  local group, lowest, marks = ARGV[i], ARGV[i + 1], 0
  local before = redis.call('HGET', KEYS[2], group)
  if before then
    local known, number = string.match(before, '^(%d+) (%d+)$')
    if tonumber(known) < tonumber(lowest) then lowest = known end
    marks = tonumber(number)
  elseif redis.call('ZSCORE', KEYS[1], group) then
    -- It is due, and from where on is not known any more.
    lowest = '0'
  end
  redis.call('HSET', KEYS[2], group, lowest .. ' ' .. (marks + 1))
  local counted = 'group_counted:' .. group
  if redis.call('SET', counted, '1', 'PX', 1000, 'NX') then
    redis.call('ZADD', KEYS[1], now + ARGV[1], group)
    answer[#answer + 1] = group
  else
    redis.call('ZADD', KEYS[1], now + math.max(1, redis.call('PTTL', counted)), group)
  end
end
return answer
