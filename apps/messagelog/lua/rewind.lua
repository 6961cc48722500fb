-- Sets a group's committed positions, whichever way, while nobody holds its lease. ARGV: group, then partition, position pairs
-- Returns "" or, with nothing done, who holds the lease.
local holder = redis.call('GET', 'log:lease:' .. ARGV[1])
if holder then return holder end
for i = 2, #ARGV, 2 do redis.call('HSET', 'log:committed:' .. ARGV[1], ARGV[i], ARGV[i + 1]) end
return ''
