-- A page of a polled group. ARGV: group, after which sequence ("" = by time), from which time (ms), how many at most.
-- Returns {"miss"}: nothing is cached; {"older"}: what is asked for is older than what is; {"page", text, …}, oldest first.
local suffix = ':{' .. ARGV[1] .. '}'
local messages, times = 'group_messages' .. suffix, 'group_times' .. suffix
local whole = redis.call('EXISTS', 'group_whole' .. suffix) == 1
local oldest = redis.call('ZRANGE', messages, 0, 0, 'WITHSCORES')
if not oldest[1] then return whole and {'page'} or {'miss'} end
for _, key in ipairs({messages, times, 'group_whole' .. suffix, 'group_newest' .. suffix}) do
  redis.call('EXPIRE', key, 3600)
end
local first
if ARGV[2] ~= '' then
  if not whole and tonumber(ARGV[2]) < tonumber(oldest[2]) - 1 then return {'older'} end
  first = '(' .. ARGV[2]
else
  local found = redis.call('ZRANGEBYSCORE', times, ARGV[3], '+inf', 'LIMIT', 0, 1)
  if not found[1] then return {'page'} end
  if not whole and tonumber(found[1]) == tonumber(oldest[2]) then return {'older'} end
  first = found[1]
end
local page = redis.call('ZRANGEBYSCORE', messages, first, '+inf', 'LIMIT', 0, ARGV[4])
return {'page', unpack(page)}
