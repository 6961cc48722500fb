-- A group was counted: it is not due any more, unless something came meanwhile. KEYS: groups:due. ARGV: group, its score
-- when the count began.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('ZREM', KEYS[1], ARGV[1]) end
return 1
