//! What `--help` says after the options of a command.

pub(super) const EVENTS_HELP: &str = "\
Each line of the file is one JSON object, as Mixpanel's /track takes it, or /engage with --profiles. A line
that is refused is reported by its number and keeps no other back. An event without $insert_id or time
gets a random one and the present time. With --json: a line for each that is refused, in the end one with
the counts.

Examples:
  gdpr-worker events events.ndjson
  zcat profiles.ndjson.gz | gdpr-worker events --profiles -";

pub(super) const REFUSED_HELP: &str = "\
--show and --retry need GDPR_PEPPER. What is tried again goes the whole way again: consent, filter, Mixpanel.
What is dropped is gone.

Examples:
  gdpr-worker refused --show --json > refused.ndjson
  gdpr-worker refused --retry 1795000000000-0
  gdpr-worker refused --drop all";

pub(super) const TAG_HELP: &str = "\
Needs GDPR_PEPPER, and no Redis. One line for each id, in the order given.

Example:
  gdpr-worker tag user-001 '$device:77ab'";

pub(super) const CONSENT_HELP: &str = "\
Needs GDPR_PEPPER. One line for each id, in the order given; an id $device:X is also the device X. Of a person with
several ids, an opt-out of any of them holds for all events that name it.

Example:
  gdpr-worker consent user-001 '$device:77ab'";

pub(super) const OPT_OUT_LINK_HELP: &str = "\
Needs GDPR_INGEST_URL, where people reach the door, and GDPR_APPLICATION_KEY. The link opens a page with
a button; only pressing it opts the person out. It shows no identifier, and nobody can change it.

Example:
  gdpr-worker opt-out-link user-001 '$device:77ab' --valid-for 90d";

pub(super) const VERIFY_HELP: &str = "\
An archive is read whole: its entries must be those of its manifest, with the same sizes and SHA-256.
Where Redis answers, its SHA-256 and size are compared with what the ledger has.

--ledger alone computes every hash of the ledger anew. A chain that was cut off at its end, or made anew as
a whole, only shows next to checkpoints (--checkpoint). A receipt or a file of checkpoints is checked without
Redis; it proves something only with a key that you have from who signs, and not from the file.

Examples:
  gdpr-worker verify archives/order-17.zip
  gdpr-worker verify s3://bucket/gdpr/order-17.zip.age --identity key.txt --ledger
  gdpr-worker verify --ledger --checkpoint checkpoints.jsonl --public-key ed25519-public:9f3a…
  gdpr-worker verify receipt-17.json --public-key public.txt";

pub(super) const CHECKPOINT_HELP: &str = "\
Needs GDPR_SIGNING_KEY. The whole ledger is read and its hashes are computed anew; if one is wrong, nothing is signed.
Keep checkpoints where whoever can write to Redis cannot. A worker signs them by itself (GDPR_CHECKPOINT_EVERY).

Examples:
  gdpr-worker checkpoint | mail -s checkpoint auditor@example.com
  gdpr-worker checkpoint --out /mnt/elsewhere/checkpoints.jsonl";

pub(super) const RECEIPT_HELP: &str = "\
Needs GDPR_SIGNING_KEY. It says what was asked, sent, confirmed and when, by the ledger alone, and names the
person by tags. Whoever has the person's id and the pepper can show whose tags they are (gdpr-worker tag).

Example:
  gdpr-worker receipt order-17 --out receipt-17.json";

pub(super) const UNSEAL_HELP: &str = "\
It holds personal data: print it into a file that only you can read, and destroy that file.
A quarantine is gzip inside, an export whatever Mixpanel sent.

Example:
  gdpr-worker unseal archives/.spool/quarantine-default.b12.ndjson.gz.age | zcat | less";

pub(super) const RETRY_HELP: &str = "\
An export that was kept, because its password or a limit was in the way, is packaged again for all
who are held with it. Everything else is sent to Mixpanel again.

Examples:
  gdpr-worker retry 1795000000000-0 order-17
  gdpr-worker retry --capped";

pub(super) const CHECK_HELP: &str = "\
One line for each thing looked at: ok, warn or fail, and what to do. Exit code 1 if one fails.
Makes one call to Mixpanel for each project, which changes nothing there. Calls that were stopped
because of bad credentials go on if they are good now.

Examples:
  gdpr-worker check
  gdpr-worker check --make-pepper > pepper.txt
  gdpr-worker check --make-signing-key > signing-key.txt";

pub(super) const ENQUEUE_HELP: &str = "\
A CSV file has a header row with some of the columns
  kind, distinct_ids (several are separated by |), distinct_id (one; may be repeated),
  id, request_id, regulation, disclosure_type, received_at
and one request a row. A row that is refused is reported by its number (the header is row 1, empty
lines do not count) and keeps no other back. With an id in each row, the same file may be enqueued
again: nothing happens twice. With --json: a line for each row, in the end one with the counts.

Identifiers on the command line can be seen by other users of this host: use --csv - to hide them.

Examples:
  gdpr-worker enqueue deletion user-001 '$device:77ab' --id order-17
  gdpr-worker enqueue cancellation --request-id order-17
  gdpr-worker enqueue --csv requests.csv
  export-requests | gdpr-worker enqueue --csv -";
