//! Redis behind TLS with a certificate that no public authority has signed: who is named is believed, nobody else is.

use crate::world::{Authority, Tap, World, cluster_of_one, document, guarded, unzip, watched};

const PERSON: &str = "canary.person@example.test";
const PASSWORD: &str = "hunter2-of-redis";

/// A retrieval and a deletion, from the XADD to the end.
async fn all_is_done(world: &World) {
    let copy = world.add(&document("retrieval", &[PERSON])).await;
    let hash = world.until(&copy, "completed").await;
    let file = hash["archive"].strip_prefix("file://").unwrap_or(&hash["archive"]);
    assert!(unzip(file)["events.ndjson"].contains(PERSON));
    let gone = world.add(&document("deletion", &[PERSON])).await;
    world.until(&gone, "completed").await;
}

/// Nothing that was said can be understood by who listens.
fn is_secret(tap: &Tap) -> bool {
    let heard = tap.heard();
    // A client speaks first: the beginning of a TLS handshake.
    assert_eq!(heard.first(), Some(&0x16), "{} bytes", heard.len());
    let words = [PERSON, PASSWORD, "AUTH", "HELLO", "PING", "XADD", "EVALSHA", "gdpr:"];
    words.iter().all(|word| !heard.windows(word.len()).any(|bytes| bytes == word.as_bytes()))
}

#[tokio::test]
async fn a_redis_of_our_own_authority_is_believed_and_nobody_can_listen() {
    let mut world = World::new().await;
    let authority = Authority::new(world.folder().join("authority"));
    let redis = guarded(world.folder(), &authority, "127.0.0.1", &["--requirepass", PASSWORD]);
    let tap = Tap::before(redis.port).await;
    world.set("GDPR_REDIS_CA", authority.file());
    world.use_redis(&format!("rediss://:{PASSWORD}@127.0.0.1:{}", tap.port)).await;
    let (code, text, error) = world.command(&["check"]).await;
    assert_eq!(code, 0, "{text}{error}");
    let worker = world.worker().await;
    all_is_done(&world).await;
    assert_eq!(worker.stop().await.0, Some(0));
    assert!(tap.heard().len() > 10_000 && is_secret(&tap));
}

#[tokio::test]
async fn a_redis_that_cannot_prove_itself_gets_no_word_and_the_reason_is_told() {
    let mut world = World::new().await;
    let authority = Authority::new(world.folder().join("authority"));
    let somebody = Authority::new(world.folder().join("somebody"));
    let redis = guarded(world.folder(), &authority, "127.0.0.1", &["--requirepass", PASSWORD]);
    let tap = Tap::before(redis.port).await;
    let url = |host: &str| format!("rediss://:{PASSWORD}@{host}:{}", tap.port);
    for (authorities, host, why) in [
        ("", "127.0.0.1", "nobody who is believed has signed it"),
        (&somebody.file(), "127.0.0.1", "nobody who is believed has signed it"),
        (&authority.file(), "localhost", "it is for another host"),
    ] {
        world.set("GDPR_REDIS_CA", authorities);
        world.set("GDPR_REDIS_URL", url(host));
        for command in [&["check"][..], &["run"], &["enqueue", "deletion", PERSON]] {
            let (code, text, error) = world.command(command).await;
            let told = text + &error;
            assert_eq!(code, 1, "{command:?}: {told}");
            for part in ["the certificate of Redis at", host, why, "expected", "GDPR_REDIS_CA"] {
                assert!(told.contains(part), "{command:?} without {part}: {told}");
            }
            assert!(!told.contains(PASSWORD) && !told.contains(PERSON), "{told}");
        }
    }
    assert!(is_secret(&tap), "a word was said before the certificate was believed");

    // What is set wrongly is told before anything is connected to.
    let before = tap.heard().len();
    world.set("GDPR_REDIS_CA", world.folder().join("nowhere.pem").display().to_string());
    world.set("GDPR_REDIS_URL", url("127.0.0.1"));
    let (_, _, told) = world.command(&["run"]).await;
    assert!(told.contains("GDPR_REDIS_CA is a file that cannot be read"), "{told}");
    world.set("GDPR_REDIS_CA", authority.file());
    world.set("GDPR_REDIS_URL", url("127.0.0.1").replace("rediss", "redis"));
    let (_, _, told) = world.command(&["run"]).await;
    assert!(told.contains("GDPR_REDIS_CA is set, while GDPR_REDIS_URL is redis://"), "{told}");
    assert_eq!(tap.heard().len(), before);
}

#[tokio::test]
async fn sentinels_and_their_primary_are_believed_by_the_same_authority() {
    let mut world = World::new().await;
    let authority = Authority::new(world.folder().join("authority"));
    let redis = guarded(world.folder(), &authority, "127.0.0.1", &[]);
    let sentinel = watched(world.folder(), &authority, &redis);
    let url = format!("rediss+sentinel://127.0.0.1:{}/main", sentinel.port);
    world.set("GDPR_REDIS_CA", authority.file());
    world.use_redis(&url).await;
    let _worker = world.worker().await;
    all_is_done(&world).await;

    world.set("GDPR_REDIS_CA", "");
    let (code, text, _) = world.command(&["check"]).await;
    assert!(code == 1 && text.contains("is not believed"), "{text}");
}

#[tokio::test]
async fn a_cluster_is_believed_by_its_authority() {
    let mut world = World::new().await;
    let authority = Authority::new(world.folder().join("authority"));
    let cluster = cluster_of_one(world.folder(), &authority);
    world.set("GDPR_REDIS_CA", authority.file());
    world.use_redis(&format!("rediss+cluster://127.0.0.1:{}", cluster.port)).await;
    let _worker = world.worker().await;
    all_is_done(&world).await;

    world.set("GDPR_REDIS_CA", "");
    let (code, text, _) = world.command(&["check"]).await;
    assert!(code == 1 && text.contains("is not believed"), "{text}");
}
