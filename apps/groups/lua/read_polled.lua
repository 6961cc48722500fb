-- Pages of polled groups. ARGV: from which time on messages are kept (ms), then for each: group, after which sequence,
-- from which time (ms), how many at most.
-- Returns for each: {"miss", run and drops, for the fill}: nothing is cached; {"older"}: what is asked for is older
-- than what is; {"page", text, …}, oldest first.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local kept_since = ARGV[1]

local function read(group, after, since, limit)
  local suffix = ':{' .. group .. '}'
  local messages, times, whole_key = 'group_messages' .. suffix, 'group_times' .. suffix, 'group_whole' .. suffix
  local run_key, newest = 'group_run' .. suffix, 'group_newest' .. suffix
  if redis.call('GET', run_key) ~= run then
    -- Another run of the server may lack what was added last. Refused now, so never current again: a slot or a failover
    -- may come back to the server that made it.
    redis.call('DEL', messages, times, whole_key, newest, run_key)
  end
  local outdated = redis.call('ZCOUNT', times, '-inf', '(' .. kept_since)
  if outdated > 0 then
    redis.call('ZREMRANGEBYRANK', messages, 0, outdated - 1)
    redis.call('ZREMRANGEBYRANK', times, 0, outdated - 1)
  end
  local whole = redis.call('EXISTS', whole_key) == 1
  local oldest = redis.call('ZRANGE', messages, 0, 0, 'WITHSCORES')
  if not oldest[1] then
    return whole and {'page'} or {'miss', run .. ':' .. (redis.call('GET', 'group_drops' .. suffix) or '')}
  end
  for _, key in ipairs({messages, times, whole_key, newest, run_key}) do
    redis.call('EXPIRE', key, 3600)
  end
  local from = oldest[2]
  if tonumber(since) > 0 then
    from = redis.call('ZRANGEBYSCORE', times, since, '+inf', 'LIMIT', 0, 1)[1]
    if not from then return {'page'} end
  end
  local is_oldest = tonumber(from) == tonumber(oldest[2])
  if not whole and is_oldest and tonumber(after) < tonumber(from) - 1 then return {'older'} end
  local first = tonumber(after) < tonumber(from) and from or '(' .. after
  return {'page', unpack(redis.call('ZRANGEBYSCORE', messages, first, '+inf', 'LIMIT', 0, limit))}
end

local answer = {}
for i = 2, #ARGV, 4 do
  answer[#answer + 1] = read(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
end
return answer
