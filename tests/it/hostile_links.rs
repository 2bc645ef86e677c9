//! The link to an export comes from outside. One that leads where no export lies is not followed, holds up its own
//! request alone, and is told to nobody.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use tokio::net::TcpListener;

use crate::world::{World, document};

/// Servers of this machine that nobody may speak to; they count who does.
struct Canaries {
    v4: u16,
    v6: u16,
    connections: Arc<AtomicUsize>,
}

impl Canaries {
    async fn start() -> Self {
        let connections = Arc::<AtomicUsize>::default();
        let mut ports = [0; 2];
        for (host, port) in ["127.0.0.1:0", "[::1]:0"].into_iter().zip(&mut ports) {
            let listener = TcpListener::bind(host).await.unwrap();
            *port = listener.local_addr().unwrap().port();
            let connections = Arc::clone(&connections);
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    connections.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let [v4, v6] = ports;
        Self { v4, v6, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn links(&self, emulator: &str) -> Vec<String> {
        let Self { v4, v6, .. } = self;
        let mut links = vec![
            "file:///etc/passwd".to_owned(),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            "http://metadata.google.internal/computeMetadata/v1/".to_owned(),
            format!("http://{emulator}@127.0.0.1:{v4}/secret"),
        ];
        let v4 = ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0.0.0.0"]
            .into_iter()
            .chain(["localhost", "localhost.", "１２７.０.０.１", "127。0。0。1"])
            .chain(["user@127.0.0.1", "[::ffff:127.0.0.1]"])
            .map(|host| format!("http://{host}:{v4}/secret"));
        links.extend(v4);
        let v6 =
            ["[::1]", "[0:0:0:0:0:0:0:1]", "[::]"].map(|host| format!("http://{host}:{v6}/secret"));
        links.extend(v6);
        links.extend(
            ["gopher", "redis"].map(|scheme| format!("{scheme}://127.0.0.1:{v4}/_", v4 = self.v4)),
        );
        links
    }
}

/// Nothing in a text of ours says where a link led.
fn tells(text: &str, link: &str) -> bool {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    text.contains(rest)
        || ["/secret", "meta-data", "computeMetadata"].iter().any(|w| text.contains(w))
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_not_followed_and_holds_up_one_request_alone() {
    let mut world = World::new().await;
    let canaries = Canaries::start().await;
    world.set("GDPR_BATCH_RETRIEVAL", "1");
    world.set("GDPR_LOG", "trace");
    let links = canaries.links(&world.emulator.host());
    assert!(links.len() >= 20);
    let person = |number: usize| format!("person-{number:02}");
    let rules = links
        .iter()
        .enumerate()
        .map(|(number, link)| json!({ "fault": "link", "link": link, "ids": [person(number)] }));
    world.emulator.fault(rules.collect()).await;
    let worker = world.worker().await;
    let asked = (0..links.len()).map(|number| document("retrieval", &[&person(number)]));
    let ids = world.add_many(asked).await;
    for (id, link) in ids.iter().zip(&links) {
        let hash = world.until(id, "held completed failed").await;
        assert_eq!(hash["status"], "held", "{link}");
        assert!(hash["reason"].contains("the export link was not followed"), "{hash:?}");
        assert!(!tells(&hash["reason"], link), "{hash:?}");
    }

    // An export that is where it should be, until its server sends on.
    for (number, target) in [
        format!("http://127.0.0.1:{}/secret", canaries.v4),
        format!("http://[::1]:{}/secret", canaries.v6),
        format!("//localhost:{}/secret", canaries.v4),
    ]
    .into_iter()
    .enumerate()
    {
        let headers = json!({ "location": target });
        let rule = json!({ "match": "export", "fault": "redirect", "status": 307, "headers": headers, "times": 1 });
        world.emulator.fault(rule).await;
        let id = world.add(&document("retrieval", &[&format!("sent-on-{number}")])).await;
        let hash = world.until(&id, "held completed failed").await;
        assert_eq!(hash["status"], "held", "{target}");
        assert!(!tells(&hash["reason"], &target), "{hash:?}");
    }

    // The next person has their copy.
    let id = world.add(&document("retrieval", &["somebody-else"])).await;
    world.until(&id, "completed").await;
    assert_eq!(canaries.connections(), 0);
    assert_eq!(worker.stop().await.0, Some(0));
    let dump = String::from_utf8_lossy(&world.dump().await).into_owned();
    for link in &links {
        assert!(!tells(&world.logs(), link), "{link}");
        assert!(!dump.contains(link.as_str()), "{link}");
    }

    // The canaries would have sung: the operator lists one of them, and tries again.
    let listed = format!("{},127.0.0.1:{}", world.emulator.host(), canaries.v4);
    world.set("GDPR_EXPORT_HOSTS", listed);
    let _worker = world.worker().await;
    let link = format!("http://127.0.0.1:{}/secret", canaries.v4);
    let at = links.iter().position(|one| *one == link).unwrap();
    assert_eq!(world.command(&["retry", &ids[at]]).await.0, 0);
    world.wait("a song", async || (canaries.connections() > 0).then_some(())).await;
}
