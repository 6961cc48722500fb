-- Appends a batch. ARGV: partition, payload pairs. Returns the generation, then each record's position.
-- Replies leave the server after the fsync of their event-loop turn (appendfsync always).
local generation = redis.call('GET', 'log:generation')
if not generation then return redis.error_reply('NOTSETUP run manage.py setup_log') end
local answer = {generation}
for i = 1, #ARGV, 2 do
  local id = redis.call('XADD', 'log:' .. ARGV[i], '0-*', 'r', ARGV[i + 1])
  answer[#answer + 1] = string.sub(id, 3)
end
return answer
