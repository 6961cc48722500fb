-- Which messages should be in an inbox and are not. ARGV for each: user, device, message id. Returns 1 or 0 for each;
-- 0 too where the inbox has no current epoch: it is rebuilt before it is read.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local answer = {}
for i = 1, #ARGV, 3 do
  local suffix = ':{' .. ARGV[i] .. '}:' .. ARGV[i + 1]
  local epoch = redis.call('HGET', 'inboxmeta' .. suffix, 'epoch') or ''
  local missing = string.sub(epoch, 1, 8) == run and not redis.call('ZSCORE', 'inbox' .. suffix, ARGV[i + 2])
  answer[#answer + 1] = missing and 1 or 0
end
return answer
