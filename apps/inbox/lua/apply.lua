-- One batch of changes to inboxes: put messages and receipts, remove what was confirmed. Each change may be repeated.
-- ARGV for each change: kind, user, device, member, frame
--   kind "m": member = message id, frame unused;  "r": member = coalescing key, frame = its text;  "x": remove message id
-- Returns for each: {} for "x"; else {epoch, counter, server_id or ""}; epoch "" and counter 0 where the
-- inbox has no current epoch: then nothing was put, and whoever drains it next rebuilds it from the Message DB.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local answer, metas, servers = {}, {}, {}
for i = 1, #ARGV, 5 do
  local kind, user, device, member = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local suffix = ':{' .. user .. '}:' .. device
  if kind == 'x' then
    redis.call('ZREM', 'inbox' .. suffix, member)
    answer[#answer + 1] = {}
  else
    local epoch = metas[suffix]
    if epoch == nil then
      epoch = redis.call('HGET', 'inboxmeta' .. suffix, 'epoch') or ''
      if string.sub(epoch, 1, 8) ~= run then epoch = '' end
      metas[suffix] = epoch
      local connection = redis.call('HGET', 'connections:{' .. user .. '}', device)
      servers[suffix] = connection and string.match(connection, '^(%S+) ') or ''
    end
    if epoch == '' then
      -- A rebuild that has read the Message DB already would miss this one: it adds what came late at its last step.
      if redis.call('EXISTS', 'inboxlock:{' .. user .. '}') == 1 then
        redis.call('RPUSH', 'inboxlate' .. suffix, kind, member, ARGV[i + 4])
        redis.call('EXPIRE', 'inboxlate' .. suffix, 60)
      end
      answer[#answer + 1] = {'', 0, servers[suffix]}
    else
      local counter
      if kind == 'm' then
        counter = redis.call('ZSCORE', 'inbox' .. suffix, member)
        if not counter then
          counter = redis.call('HINCRBY', 'inboxmeta' .. suffix, 'counter', 1)
          redis.call('ZADD', 'inbox' .. suffix, counter, member)
        end
      else
        counter = redis.call('HINCRBY', 'inboxmeta' .. suffix, 'counter', 1)
        redis.call('ZADD', 'receipts' .. suffix, counter, member)
        redis.call('HSET', 'receiptframes' .. suffix, member, ARGV[i + 4])
      end
      answer[#answer + 1] = {epoch, tonumber(counter), servers[suffix]}
    end
  end
end
return answer
