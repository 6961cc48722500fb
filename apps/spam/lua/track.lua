-- Notes who wrote to whom, and says how each sender stands after it. May be repeated: then only the hour's count is too high.
-- ARGV: now in ms, peers remembered, then for each message: sender, receiver
-- Returns for each: receivers of the last hour who have not answered, of the last day, messages of this hour
local now, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local HOUR, DAY, KNOWN_SECONDS = 3600000, 86400000, 7776000

local function meet(user, peer)
  local key = 'spam:known:' .. user
  redis.call('ZADD', key, now, peer)
  redis.call('ZREMRANGEBYRANK', key, 0, -most - 1)
  redis.call('EXPIRE', key, KNOWN_SECONDS)
end

local answer = {}
for i = 3, #ARGV, 2 do
  local sender, receiver = ARGV[i], ARGV[i + 1]
  local unanswered = 'spam:unanswered:' .. sender
  if redis.call('ZREM', 'spam:unanswered:' .. receiver, sender) == 1 then
    meet(sender, receiver)
    meet(receiver, sender)
  elseif not redis.call('ZSCORE', 'spam:known:' .. sender, receiver) then
    redis.call('ZADD', unanswered, 'NX', now, receiver)
    redis.call('EXPIRE', unanswered, DAY / 1000)
  end
  redis.call('ZREMRANGEBYSCORE', unanswered, '-inf', now - DAY)
  local sent = 'spam:sent:' .. sender .. ':' .. string.format('%.0f', math.floor(now / HOUR))
  local count = redis.call('INCR', sent)
  redis.call('EXPIRE', sent, 2 * HOUR / 1000)
  answer[#answer + 1] = {redis.call('ZCOUNT', unanswered, now - HOUR, '+inf'), redis.call('ZCARD', unanswered), count}
end
return answer
