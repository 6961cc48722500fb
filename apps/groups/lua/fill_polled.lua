-- Fill the cache of a polled group from the Message DB. ARGV: group, "1" where nothing older is kept, seconds, the newest
-- sequence that was read, how often the cache had been dropped before that, then for each message, oldest first: sequence,
-- timestamp (ms), JSON text.
-- Returns 1; 0 where a newer message was stored meanwhile, or the cache was dropped again: then read again.
local suffix = ':{' .. ARGV[1] .. '}'
local messages, times, seconds = 'group_messages' .. suffix, 'group_times' .. suffix, ARGV[3]
if tonumber(redis.call('GET', 'group_newest' .. suffix) or '0') > tonumber(ARGV[4]) then return 0 end
if (redis.call('GET', 'group_drops' .. suffix) or '') ~= ARGV[5] then return 0 end
redis.call('DEL', messages, times, 'group_whole' .. suffix)
local latest = 0
for i = 6, #ARGV, 3 do
  latest = math.max(latest, tonumber(ARGV[i + 1]))
  redis.call('ZADD', messages, ARGV[i], ARGV[i + 2])
  redis.call('ZADD', times, string.format('%.0f', latest), ARGV[i])
end
if ARGV[2] == '1' then redis.call('SET', 'group_whole' .. suffix, '1', 'EX', seconds) end
redis.call('EXPIRE', messages, seconds)
redis.call('EXPIRE', times, seconds)
return 1
