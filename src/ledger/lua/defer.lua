-- Schedules a job on Redis' clock; an earlier time that it already has wins.
--   arg(1) job · arg(2) ms from now
schedule(arg(1), now_ms + tonumber(arg(2)))
return 1
