-- Pages of polled groups. ARGV for each: group, after which sequence ("" = by time), from which time (ms), how many at most.
-- Returns for each: {"miss", drops}: nothing is cached; {"older"}: what is asked for is older than what is; {"page", text, …},
-- oldest first.
local function read(group, after, since, limit)
  local suffix = ':{' .. group .. '}'
  local messages, times = 'group_messages' .. suffix, 'group_times' .. suffix
  local whole = redis.call('EXISTS', 'group_whole' .. suffix) == 1
  local oldest = redis.call('ZRANGE', messages, 0, 0, 'WITHSCORES')
  if not oldest[1] then return whole and {'page'} or {'miss', redis.call('GET', 'group_drops' .. suffix) or ''} end
  for _, key in ipairs({messages, times, 'group_whole' .. suffix, 'group_newest' .. suffix}) do
    redis.call('EXPIRE', key, 3600)
  end
  local first
  if after ~= '' then
    if not whole and tonumber(after) < tonumber(oldest[2]) - 1 then return {'older'} end
    first = '(' .. after
  else
    local found = redis.call('ZRANGEBYSCORE', times, since, '+inf', 'LIMIT', 0, 1)
    if not found[1] then return {'page'} end
    if not whole and tonumber(found[1]) == tonumber(oldest[2]) then return {'older'} end
    first = found[1]
  end
  return {'page', unpack(redis.call('ZRANGEBYSCORE', messages, first, '+inf', 'LIMIT', 0, limit))}
end

local answer = {}
for i = 1, #ARGV, 4 do
  answer[#answer + 1] = read(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
end
return answer
