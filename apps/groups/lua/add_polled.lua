-- Messages that were stored of groups that are polled: into the cache where there is one. ARGV: how many a cache keeps,
-- its seconds, then for each message, in order: group, sequence, timestamp (ms), JSON text. Returns {} for each.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local keep, seconds = tonumber(ARGV[1]), ARGV[2]
local answer = {}
for i = 3, #ARGV, 4 do
  local suffix = ':{' .. ARGV[i] .. '}'
  local messages, times, newest = 'group_messages' .. suffix, 'group_times' .. suffix, 'group_newest' .. suffix
  local sequence, timestamp = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  -- What another run of the server has left may lack what was added last.
  if redis.call('GET', 'group_run' .. suffix) ~= run then
    redis.call('DEL', messages, times, newest, 'group_whole' .. suffix)
  end
  redis.call('SET', 'group_run' .. suffix, run, 'EX', seconds)
  -- First: whoever fills the cache from the Message DB at this moment must see that it has not read this one.
  if sequence > tonumber(redis.call('GET', newest) or '0') then
    redis.call('SET', newest, string.format('%.0f', sequence))
  end
  redis.call('EXPIRE', newest, seconds)
  if redis.call('EXISTS', messages) == 1 or redis.call('EXISTS', 'group_whole' .. suffix) == 1 then
    local last = redis.call('ZREVRANGE', times, 0, 0, 'WITHSCORES')
    if last[2] and tonumber(last[2]) > timestamp then timestamp = tonumber(last[2]) end
    local known = #redis.call('ZRANGEBYSCORE', messages, ARGV[i + 1], ARGV[i + 1]) > 0
    -- One from before what is kept here is a relay's that begins again: the Message DB has it.
    local oldest = redis.call('ZRANGE', messages, 0, 0, 'WITHSCORES')
    local cut = redis.call('EXISTS', 'group_whole' .. suffix) == 0 and oldest[2] and sequence < tonumber(oldest[2])
    if not known and not cut then
      redis.call('ZADD', messages, ARGV[i + 1], ARGV[i + 3])
      redis.call('ZADD', times, string.format('%.0f', timestamp), ARGV[i + 1])
      if not oldest[1] then
        -- The first of a group that had none yet: these keys are new.
        redis.call('EXPIRE', messages, seconds)
        redis.call('EXPIRE', times, seconds)
      end
    end
    if redis.call('ZCARD', messages) > keep then
      redis.call('ZREMRANGEBYRANK', messages, 0, -keep - 1)
      redis.call('ZREMRANGEBYRANK', times, 0, -keep - 1)
      redis.call('DEL', 'group_whole' .. suffix)
    end
  end
  answer[#answer + 1] = {}
end
return answer
