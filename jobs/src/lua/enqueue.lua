-- Puts a request document that brings its own id on the stream, unless its request is known already.
--
-- KEYS[1]  stream of the request documents
-- KEYS[2]  hash of the request with the document's id
-- KEYS[3]  note for that id: the stream entry that carries it
-- ARGV[1]  the document, JSON
-- ARGV[2]  life of the note, in seconds
-- ARGV[3…] further fields of the entry, names and values
-- Returns  1 when the document was added, 0 when the request is known
--
-- The worker deletes the stream entry in the script that writes the request's hash, so one of the two
-- is there from the first call on. A refused document leaves neither: its correction is new.
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
local entry = redis.call('GET', KEYS[3])
if entry and #redis.call('XRANGE', KEYS[1], entry, entry) > 0 then
  return 0
end
entry = redis.call('XADD', KEYS[1], '*', 'request', ARGV[1], unpack(ARGV, 3))
redis.call('SET', KEYS[3], entry, 'EX', ARGV[2])
return 1
