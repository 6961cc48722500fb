-- Confirmations of groups came in: whose messages may be counted now, and whose later, so that a sender hears at most
-- once a second. KEYS: groups:due. ARGV: ms that a count may take, then group ids. Returns those to count now.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {}
for i = 2, #ARGV do
  local counted = 'group_counted:' .. ARGV[i]
  if redis.call('SET', counted, '1', 'PX', 1000, 'NX') then
    redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i])
    answer[#answer + 1] = ARGV[i]
  else
    redis.call('ZADD', KEYS[1], now + math.max(1, redis.call('PTTL', counted)), ARGV[i])
  end
end
return answer
