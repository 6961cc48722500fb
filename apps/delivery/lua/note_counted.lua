-- A group was counted: it is not due any more, unless something came meanwhile. KEYS: groups:due, groups:confirmed.
-- ARGV: group, its score and what was confirmed ("" where nothing was) when the count began.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) == ARGV[2] and (redis.call('HGET', KEYS[2], ARGV[1]) or '') == ARGV[3] then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
return 1
