-- Admission of a batch: dedup, then rate. Marks what the last batch made durable first.
-- ARGV: messages per minute or 0, dedup s, number of done ones, for each done: user, device, client_id, value;
--       then for each message: user, device, client_id, digest, message_id ("": look only, it may not be sent), timestamp_ms
-- Returns for each message: {"new"}, {"pending", message_id, timestamp}, {"done", message_id, timestamp, sequence}, {"conflict"},
-- {"limited", retry_after_ms}
local per_minute, dedup_seconds, done = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local i = 4
for _ = 1, done do
  redis.call('SET', 'dedup:{' .. ARGV[i] .. '}:' .. ARGV[i + 1] .. ':' .. ARGV[i + 2], ARGV[i + 3], 'EX', dedup_seconds)
  i = i + 4
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {}
while ARGV[i] do
  local user = ARGV[i]
  local key = 'dedup:{' .. user .. '}:' .. ARGV[i + 1] .. ':' .. ARGV[i + 2]
  local known = redis.call('GET', key)
  if known then
    local state, id, timestamp, sequence, digest = string.match(known, '^(%S+) (%S+) (%S+) (%S+) (%S+)')
    if digest ~= ARGV[i + 3] then
      answer[#answer + 1] = {'conflict'}
    elseif state == 'd' then
      answer[#answer + 1] = {'done', id, timestamp, sequence}
    else
      answer[#answer + 1] = {'pending', id, timestamp}
    end
  elseif ARGV[i + 4] == '' then
    answer[#answer + 1] = {'new'}
  else
    local limited = false
    if per_minute > 0 then
      local rate = 'rate:{' .. user .. '}'
      local oldest = redis.call('LINDEX', rate, -per_minute)
      if oldest and now_ms - tonumber(oldest) < 60000 then
        limited = true
        answer[#answer + 1] = {'limited', 60000 - (now_ms - tonumber(oldest))}
      else
        redis.call('RPUSH', rate, string.format('%.0f', now_ms))
        if oldest then redis.call('LTRIM', rate, -per_minute, -1) end
        redis.call('PEXPIRE', rate, 60000)
      end
    end
    if not limited then
      redis.call('SET', key, 'p ' .. ARGV[i + 4] .. ' ' .. ARGV[i + 5] .. ' 0 ' .. ARGV[i + 3], 'EX', dedup_seconds)
      answer[#answer + 1] = {'new'}
    end
  end
  i = i + 6
end
return answer
