-- Something happened that changes no status: an object without a record was destroyed, a link was made.
--   arg(1) request · arg(2) what
record({ 'requests', arg(1), 'kind', 'retrieval', 'why', arg(2) })
