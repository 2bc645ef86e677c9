//! `history`: the events of the ledger, as they are read.

use std::io;

use tokio::sync::oneshot;

use super::{
    Outcome,
    args::HistoryArgs,
    failure::Failure,
    output::{self, Output},
    session::Session,
    table::presentable,
};
use crate::{
    config::Flags,
    ledger::{Event, HistoryFilter},
};

/// Prints the events that fit.
pub(super) async fn history(
    flags: &Flags,
    args: HistoryArgs,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let session = Session::open(flags).await?;
    let filter = match (args.user, args.request) {
        (Some(distinct_id), _) => HistoryFilter::Person(session.tag(&distinct_id)?),
        (None, Some(request)) => HistoryFilter::Request(request),
        (None, None) => HistoryFilter::All,
    };
    let (stop, mut stopped) = oneshot::channel();
    let mut printer = Printer { output, stop: Some(stop), any: false };
    let ledger = session.ledger();
    tokio::select! {
        // An output that takes nothing more ends the reading, too.
        Ok(why) = &mut stopped => why?,
        end = ledger.history(&filter, |event| printer.see(&event)) => end?,
    }
    // On the last page, both may end at once.
    if let Ok(why) = stopped.try_recv() {
        why?;
    }
    if !printer.any {
        output::complain("no events");
    }
    Ok(Outcome::Done)
}

struct Printer<'a> {
    output: &'a mut Output,
    /// Used once, when there is no more sense in printing: with an error, or because nobody reads.
    stop: Option<oneshot::Sender<io::Result<()>>>,
    any: bool,
}

impl Printer<'_> {
    fn see(&mut self, event: &Event) {
        self.any = true;
        if self.stop.is_none() {
            return;
        }
        let printed = if self.output.is_json() {
            self.output.json(event)
        } else {
            self.output.line(in_words(event))
        };
        if (printed.is_err() || self.output.is_closed())
            && let Some(stop) = self.stop.take()
        {
            let _ = stop.send(printed);
        }
    }
}

/// One line. Its columns have fixed widths: the events to come are not known yet.
fn in_words(event: &Event) -> String {
    let change = match (event.from.as_str(), event.to.as_str()) {
        ("", "") => event.mixpanel_status.clone(),
        ("", to) => format!("→ {to}"),
        (from, to) => format!("{from} → {to}"),
    };
    let requests = match event.requests.as_slice() {
        [] if !event.whole_batch.is_empty() => format!("all {} of its batch", event.whole_batch),
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    };
    format!(
        "{:20}  {:24}  {:24}  {:32}  {:16}  {}",
        presentable(&event.at),
        presentable(&change),
        presentable(&requests),
        presentable(&event.why),
        presentable(&event.batch),
        presentable(&event.tracking_id)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_many_requests_names_the_first_and_counts_the_others() {
        let event = Event {
            at: "2026-01-31T09:30:00Z".to_owned(),
            requests: vec!["r1".to_owned(), "r2".to_owned(), "r3".to_owned()],
            from: "queued".to_owned(),
            to: "submitting".to_owned(),
            ..Event::default()
        };
        let words: Vec<_> = in_words(&event).split("  ").map(str::trim).map(String::from).collect();
        let shown: Vec<_> = words.iter().filter(|word| !word.is_empty()).collect();
        assert_eq!(
            shown,
            ["2026-01-31T09:30:00Z", "queued → submitting", "r1 and 2 more", "-", "-", "-"]
        );
    }

    #[test]
    fn news_of_a_task_shows_mixpanels_word() {
        let event = Event { mixpanel_status: "STARTED".to_owned(), ..Event::default() };
        assert!(in_words(&event).contains("STARTED"));
    }
}
