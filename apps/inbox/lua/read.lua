-- One window of several inboxes. ARGV: limit, then for each: user, device, epoch wanted or "", after
-- Returns for each: epoch or "" (no current one), after (0 if the epoch is another), upto, last (1/0), then the entries in
-- counter order: {epoch, after, upto, last, {"m", id, "", counter}, {"r", key, frame, counter} …}
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local limit = tonumber(ARGV[1])
local answer = {}
for i = 2, #ARGV, 4 do
  local suffix = ':{' .. ARGV[i] .. '}:' .. ARGV[i + 1]
  local after = tonumber(ARGV[i + 3])
  local meta = redis.call('HMGET', 'inboxmeta' .. suffix, 'epoch', 'counter')
  local epoch = meta[1] or ''
  if string.sub(epoch, 1, 8) ~= run then
    answer[#answer + 1] = {'', 0, 0, 0}
  else
    if epoch ~= ARGV[i + 2] then after = 0 end
    local messages = redis.call('ZRANGEBYSCORE', 'inbox' .. suffix, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
    local receipts = redis.call('ZRANGEBYSCORE', 'receipts' .. suffix, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
    local window = {epoch, after, 0, 0}
    local m, r, upto = 1, 1, after
    while #window - 4 < limit and (messages[m] or receipts[r]) do
      if messages[m] and (not receipts[r] or tonumber(messages[m + 1]) < tonumber(receipts[r + 1])) then
        upto = tonumber(messages[m + 1])
        window[#window + 1] = {'m', messages[m], '', upto}
        m = m + 2
      else
        upto = tonumber(receipts[r + 1])
        local frame = redis.call('HGET', 'receiptframes' .. suffix, receipts[r])
        window[#window + 1] = {'r', receipts[r], frame or '', upto}
        r = r + 2
      end
    end
    if #window - 4 < limit then
      -- Nothing is left: what was in between has been confirmed.
      upto = math.max(upto, tonumber(meta[2] or '0'))
      window[4] = 1
    end
    window[3] = upto
    answer[#answer + 1] = window
  end
end
return answer
