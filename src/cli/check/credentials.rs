//! Whether Mixpanel accepts the credentials: one call that changes nothing, at the project's pace.
//!
//! A good answer also ends the stop of calls that bad credentials caused, so `check` is how an operator says that
//! they are repaired.

use std::time::Duration;

use gdpr_jobs::{Keys, RedisFault};
use tokio::time::{Instant, sleep};

use crate::{
    config::ProjectConfig,
    mixpanel::{Class, Client, Denied, Pace, PaceError, ProbeOutcome, Why},
    queue::{Connector, server::Finding},
};

/// How long a busy project may keep us waiting for a turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tests the credentials of one project.
pub(super) async fn look(config: &ProjectConfig, client: &Client, redis: &Connector) -> Finding {
    let what = format!("{} credentials", config.project);
    let key = Keys::new(&config.project).named("pace");
    let redis = match redis.towards(&key).shared().await {
        Ok(redis) => redis,
        Err(error) => {
            let why = RedisFault::from(&error);
            return Finding::fail(what, format!("not tested: {why}; repair Redis and check again"));
        }
    };
    let pace = Pace::new(redis, key, config.request_interval);
    match probe(&pace, client, config.request_interval).await {
        Ok(Tested::Answer { outcome, stop_ended }) => judge(what, outcome, stop_ended),
        Ok(Tested::NoTurn(denied)) => no_turn(what, denied),
        Err(error) => Finding::fail(what, format!("not tested: {error}; try again")),
    }
}

enum Tested {
    Answer {
        outcome: ProbeOutcome,
        /// Calls had been stopped for bad credentials, and go on now.
        stop_ended: bool,
    },
    NoTurn(Denied),
}

async fn probe(pace: &Pace, client: &Client, interval: Duration) -> Result<Tested, PaceError> {
    if let Some(denied) = turn(pace, interval).await? {
        return Ok(Tested::NoTurn(denied));
    }
    let outcome = client.probe_credentials().await;
    let stop_ended = outcome == ProbeOutcome::Good && pace.state().await?.credentials.is_some();
    if stop_ended {
        pace.clear_credentials().await?;
    }
    Ok(Tested::Answer { outcome, stop_ended })
}

/// Waits until a call may be made; why there may be none, if that would take too long.
async fn turn(pace: &Pace, interval: Duration) -> Result<Option<Denied>, PaceError> {
    let end = Instant::now() + PATIENCE;
    loop {
        let denied = match pace.acquire(Class::Poll).await? {
            Ok(_turn) => return Ok(None),
            Err(denied) => denied,
        };
        if denied.why == Why::Credentials && denied.retry_in > 3 * interval {
            // While calls are stopped, no slots are given: after an interval there is no call before
            // ours to keep a distance from, and the next one is still far. Whoever runs `check` wants
            // to know now.
            sleep(interval).await;
            return Ok(None);
        }
        let soon = matches!(denied.why, Why::Busy | Why::Credentials);
        if !soon || Instant::now() + denied.retry_in > end {
            return Ok(Some(denied));
        }
        sleep(denied.retry_in).await;
    }
}

fn no_turn(what: String, denied: Denied) -> Finding {
    let seconds = denied.retry_in.as_secs() + 1;
    match denied.why {
        Why::Paused(reason) => Finding::warn(
            what,
            format!(
                "not tested: calls are paused for {seconds} s more ({}); check again then",
                reason.as_str()
            ),
        ),
        _ => Finding::warn(what, "not tested: the project's calls leave no gap; check again later"),
    }
}

fn judge(what: String, outcome: ProbeOutcome, stop_ended: bool) -> Finding {
    match outcome {
        ProbeOutcome::Good if stop_ended => {
            Finding::ok(what, "Mixpanel accepts them (again): the stop of calls is over")
        }
        ProbeOutcome::Good => Finding::ok(what, "Mixpanel accepts them"),
        ProbeOutcome::Bad { status } => Finding::fail(
            what,
            format!(
                "Mixpanel answers {status}: expected the token of the project and a GDPR OAuth token of \
                 one of its owners or admins, not older than a year; make one in Mixpanel's account \
                 settings (Data & Privacy), put it into MIXPANEL_OAUTH_TOKEN and check again"
            ),
        ),
        ProbeOutcome::NotTheApi { status } => Finding::fail(
            what,
            format!(
                "something answers {status} that is not Mixpanel's GDPR API: expected the project's \
                 region in MIXPANEL_REGION and, if it is set, a right address in MIXPANEL_API_URL"
            ),
        ),
        ProbeOutcome::Busy { retry_after } => {
            let wait = retry_after.map_or(60, |wait| wait.as_secs());
            let text = format!("not tested: Mixpanel is too busy to tell; check again in {wait} s");
            Finding::warn(what, text)
        }
        ProbeOutcome::Unreachable => Finding::fail(
            what,
            "Mixpanel cannot be reached (name, route or TLS): expected a way to its API; look at DNS and \
             firewall, and at MIXPANEL_API_URL",
        ),
        ProbeOutcome::Unavailable(_) => {
            Finding::warn(what, "not tested: Mixpanel gave no usable answer; check again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mixpanel::Ambiguity, queue::server::Level};

    #[test]
    fn only_what_an_operator_must_repair_fails() {
        let level = |outcome| judge("p credentials".to_owned(), outcome, false).level;
        assert_eq!(level(ProbeOutcome::Good), Level::Ok);
        for outcome in [
            ProbeOutcome::Bad { status: 401 },
            ProbeOutcome::NotTheApi { status: 301 },
            ProbeOutcome::Unreachable,
        ] {
            assert_eq!(level(outcome), Level::Fail, "{outcome:?}");
        }
        for outcome in [
            ProbeOutcome::Busy { retry_after: None },
            ProbeOutcome::Unavailable(Ambiguity::Timeout),
        ] {
            assert_eq!(level(outcome), Level::Warn, "{outcome:?}");
        }
    }

    #[test]
    fn a_repair_is_told() {
        let finding = judge("p credentials".to_owned(), ProbeOutcome::Good, true);
        assert!(finding.text.contains("the stop of calls is over"));
    }
}
