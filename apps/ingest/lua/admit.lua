-- Admission of a batch: dedup, then rate. Each message may be repeated: it is then pending, under the id that it had first.
-- ARGV: messages per minute or 0, dedup s, then for each message that asks: user, dedup key, digest, message_id ("": look
--       only, it may not be sent), timestamp_ms; for each that became durable: user, dedup key, value to keep, "", ""
-- Returns for each message: {"new"}, {"pending", message_id, timestamp}, {"done", message_id, timestamp, sequence}, {"conflict"},
-- {"limited", retry_after_ms}; {} for what became durable
local per_minute, dedup_seconds = tonumber(ARGV[1]), ARGV[2]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {}
for i = 3, #ARGV, 5 do
  local user, key, digest, message_id, timestamp = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local durable = timestamp == ''
  local known = not durable and redis.call('GET', key)
  if durable then
    redis.call('SET', key, digest, 'EX', dedup_seconds)
    answer[#answer + 1] = {}
  elseif known then
    local state, id, at, sequence, known_digest = string.match(known, '^(%S+) (%S+) (%S+) (%S+) (%S+)')
    if known_digest ~= digest then
      answer[#answer + 1] = {'conflict'}
    elseif state == 'd' then
      answer[#answer + 1] = {'done', id, at, sequence}
    else
      answer[#answer + 1] = {'pending', id, at}
    end
  elseif message_id == '' then
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
      redis.call('SET', key, 'p ' .. message_id .. ' ' .. timestamp .. ' 0 ' .. digest, 'EX', dedup_seconds)
      answer[#answer + 1] = {'new'}
    end
  end
end
return answer
