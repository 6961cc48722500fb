-- Forget what is cached of polled groups: the Message DB has lost some of it. ARGV: seconds, then the groups.
-- Returns {} for each.
local answer = {}
for i = 2, #ARGV do
  local suffix = ':{' .. ARGV[i] .. '}'
  redis.call('DEL', 'group_messages' .. suffix, 'group_times' .. suffix, 'group_whole' .. suffix)
  -- Whoever has read the Message DB before this must not put it back.
  redis.call('INCR', 'group_drops' .. suffix)
  redis.call('EXPIRE', 'group_drops' .. suffix, ARGV[1])
  answer[#answer + 1] = {}
end
return answer
