-- Fill the cache of a polled group from the Message DB. ARGV: group, "1" where nothing older is kept, seconds, the
-- newest sequence that was read, what a miss before that said ("" = there was none), from which time on messages are
-- kept (ms), then for each message, oldest first: sequence, timestamp (ms), JSON text.
-- Returns 1; 0 where meanwhile a newer message was stored, the cache was dropped or another run began: then read again.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local suffix = ':{' .. ARGV[1] .. '}'
local messages, times, newest = 'group_messages' .. suffix, 'group_times' .. suffix, 'group_newest' .. suffix
local whole, seconds, kept_since = ARGV[2] == '1', ARGV[3], tonumber(ARGV[6])
local run_before, drops = string.match(ARGV[5], '^(%x*):?(%d*)$')
-- What was added since may be lost with the other run, and what says so.
if run_before ~= '' and run_before ~= run then return 0 end
if (redis.call('GET', 'group_drops' .. suffix) or '') ~= drops then return 0 end
if redis.call('GET', 'group_run' .. suffix) ~= run then redis.call('DEL', newest) end
if tonumber(redis.call('GET', newest) or '0') > tonumber(ARGV[4]) then return 0 end
redis.call('DEL', messages, times, 'group_whole' .. suffix)
redis.call('SET', 'group_run' .. suffix, run, 'EX', seconds)
local latest = 0
for i = 7, #ARGV, 3 do
  latest = math.max(latest, tonumber(ARGV[i + 1]))
  if latest < kept_since then
    whole = true
  else
    redis.call('ZADD', messages, ARGV[i], ARGV[i + 2])
    redis.call('ZADD', times, string.format('%.0f', latest), ARGV[i])
  end
end
if whole then redis.call('SET', 'group_whole' .. suffix, '1', 'EX', seconds) end
redis.call('EXPIRE', messages, seconds)
redis.call('EXPIRE', times, seconds)
return 1
