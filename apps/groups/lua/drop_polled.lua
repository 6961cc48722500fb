-- Forget what is cached of polled groups: the Message DB has lost some of it. ARGV: seconds, then the groups.
-- Returns {} for each.
local answer = {}
for i = 2, #ARGV do
  local suffix = ':{' .. ARGV[i] .. '}'
  -- With the newest: if that is what was lost, nobody will read as far again.
  for _, name in ipairs({'group_messages', 'group_times', 'group_whole', 'group_newest'}) do
    redis.call('DEL', name .. suffix)
  end
  -- Whoever has read the Message DB before this must not put it back.
  redis.call('INCR', 'group_drops' .. suffix)
  redis.call('EXPIRE', 'group_drops' .. suffix, ARGV[1])
  answer[#answer + 1] = {}
end
return answer
