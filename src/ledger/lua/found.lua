-- A task answered normally again: NOT_FOUND before it was a passing fault.
--   arg(1) batch · arg(2) tracking id
redis.call('HDEL', key('batch:' .. arg(1)), 'missing:' .. arg(2), 'missing_since:' .. arg(2))
return 1
