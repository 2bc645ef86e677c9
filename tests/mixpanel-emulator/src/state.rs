//! All that the emulator remembers, behind one lock, and the way a call takes through it:
//! limiter, then wire faults, then credentials, then the call itself, then the log.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, Utc};
use serde_json::{Value, json};

use crate::call::{Call, Delivery, Manner, Reply};
use crate::clock::Clock;
use crate::content::Content;
use crate::dice::Dice;
use crate::export::links::Links;
use crate::export::{ExportOrder, Serving, Written};
use crate::faults::{Faults, Occasion};
use crate::forms::Toggle;
use crate::ingested::Ingested;
use crate::kind::{Kind, Route};
use crate::limiter::Limiter;
use crate::log::{Entry, IngestionCall, Log};
use crate::people::{People, Snapshot};
use crate::settings::Settings;
use crate::tasks::Tasks;
use crate::{gdpr, ingest};

/// The whole memory.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) dice: Dice,
    pub(crate) tasks: Tasks,
    pub(crate) people: People,
    pub(crate) links: Links,
    pub(crate) written: Written,
    pub(crate) limiter: Limiter,
    pub(crate) faults: Faults,
    pub(crate) log: Log,
    pub(crate) ingested: Ingested,
    /// Base of the download links.
    pub(crate) public_url: String,
    /// Day that made-up data counts back from: fixed, so that it never changes while we run.
    pub(crate) today: DateTime<Utc>,
    seed: u64,
}

impl State {
    /// A fresh state; the log file is opened for appending.
    pub(crate) fn new(
        settings: Settings,
        seed: u64,
        public_url: String,
        log: Option<&Path>,
    ) -> io::Result<Self> {
        let clock = Clock::new();
        let today = clock.date().with_time(NaiveTime::MIN).single().unwrap_or_else(Utc::now);
        Ok(Self {
            settings,
            clock,
            dice: Dice::new(seed),
            tasks: Tasks::default(),
            people: People::default(),
            links: Links::default(),
            written: Written::default(),
            limiter: Limiter::default(),
            faults: Faults::default(),
            log: Log::open(log)?,
            ingested: Ingested::default(),
            public_url,
            today,
            seed,
        })
    }

    /// Forgets tasks, people, links, paces, faults and entries; settings, clock and file stay.
    pub(crate) fn reset(&mut self) {
        self.dice = Dice::new(self.seed);
        self.tasks = Tasks::default();
        self.people = People::default();
        self.links = Links::default();
        self.written = Written::default();
        self.limiter = Limiter::default();
        self.faults = Faults::default();
        self.log.forget();
        self.ingested = Ingested::default();
    }

    /// Moves tasks to where they are due.
    pub(crate) fn settle(&mut self) {
        let now = self.clock.seconds();
        self.tasks.settle(&self.settings, now, &mut self.people);
    }

    /// Decides one call, carries it out and logs it.
    pub(crate) fn answer(&mut self, call: &Call, route: &Route, content: Content) -> Delivery {
        self.settle();
        let mut entry = self.entry(call, route, &content);
        let delivery = self.deliver(call, route, &content, &mut entry);
        entry.status = match delivery.manner {
            Manner::Never(_) | Manner::Cut => None,
            _ => Some(delivery.reply.status),
        };
        let entry = self.log.add(entry);
        if let Content::Records { records: Ok(records), .. } = content {
            self.ingested.add(entry, records, self.settings.keep_records);
        }
        delivery
    }

    /// Logs a call whose body was cut off.
    pub(crate) fn cut_off(&mut self, call: &Call, route: &Route) {
        let entry = self.entry(call, route, &Content::Nothing);
        self.log.add(entry);
    }

    /// How long to wait before each piece of a body of the ingestion API.
    pub(crate) fn slow_read(&mut self, route: &Route) -> Option<Duration> {
        let Route::Ingest(kind) = route else { return None };
        self.faults.slow_read(Occasion { kind: *kind, project: None }, &mut self.dice)
    }

    /// What the log can say before anything is decided.
    fn entry(&self, call: &Call, route: &Route, content: &Content) -> Entry {
        let (kind, ids) = (route.kind(), content.ids());
        let task = match route {
            Route::Item { id, .. } => Some(id.clone()),
            _ => None,
        };
        Entry {
            seq: 0,
            ms: self.clock.true_ms(call.arrived),
            unix_ms: Clock::unix_ms(call.arrived),
            time: String::new(),
            method: call.method.clone(),
            path: call.path.clone(),
            kind,
            project: match route {
                Route::Ingest(kind) => ingest::project(&self.settings, call, *kind, content),
                _ => call.query("token").map(str::to_owned),
            },
            ids_count: ids.len(),
            ids,
            compliance: content.asked().map(|request| request.compliance),
            disclosure: content.asked().map(|request| request.disclosure),
            status: None,
            fault: None,
            too_early: false,
            gap_ms: None,
            acted: false,
            task,
            range: call.range.clone(),
            task_status: None,
            export_with_authorization: kind == Kind::Export && call.authorization.is_some(),
            ingestion: kind.ingests().then(|| self.ingestion(call, content)),
        }
    }

    fn ingestion(&self, call: &Call, content: &Content) -> IngestionCall {
        let records = match content {
            Content::Records { records: Ok(records), .. } => records.len(),
            _ => 0,
        };
        IngestionCall {
            whole_ms: call.whole.map(|moment| self.clock.true_ms(moment)),
            bytes: call.body.len(),
            ip: call.query("ip").map(str::to_owned),
            strict: call.flag("strict"),
            verbose: call.flag("verbose"),
            gzip: call.gzipped,
            records,
            stored: 0,
            accepted: Vec::new(),
        }
    }

    fn deliver(
        &mut self,
        call: &Call,
        route: &Route,
        content: &Content,
        entry: &mut Entry,
    ) -> Delivery {
        if let Some(refusal) = self.limit(call, route, entry) {
            return refusal.into();
        }
        let at = Occasion { kind: route.kind(), project: entry.project.as_deref() };
        let Some(fault) = self.faults.wire(at, &mut self.dice) else {
            return self.act(call, route, content, entry).into();
        };
        let reply =
            if fault.acts { self.act(call, route, content, entry) } else { Reply::empty(200) };
        entry.fault = Some(fault.name);
        fault.deliver(reply)
    }

    /// The limiter's refusal of a GDPR call that came too early.
    fn limit(&mut self, call: &Call, route: &Route, entry: &mut Entry) -> Option<Reply> {
        let gdpr = matches!(route, Route::Collection { .. } | Route::Item { .. });
        let project = call.query("token").filter(|_| gdpr)?;
        self.settings.oauth_of(project)?;
        let min_gap = Duration::from_millis(self.settings.min_gap_ms);
        let verdict = self.limiter.arrive(project, call.arrived, min_gap);
        entry.gap_ms = verdict.gap.map(crate::clock::milliseconds);
        entry.too_early = verdict.too_early;
        verdict.too_early.then(|| {
            let message = "Too Many Requests, this API is limited to 1 req/s";
            gdpr::shapes::limited(self.settings.limit_body, &mut self.dice, message)
        })
    }

    fn act(&mut self, call: &Call, route: &Route, content: &Content, entry: &mut Entry) -> Reply {
        match route {
            Route::Collection { .. } | Route::Item { .. } => {
                gdpr::act(self, call, route, content, entry)
            }
            Route::Export { link } => self.export(link, call, entry),
            Route::Ingest(kind) => ingest::act(self, call, *kind, content, entry),
            Route::WrongMethod => gdpr::shapes::error(405, "Method not allowed"),
            Route::Unknown => gdpr::shapes::error(404, "Not found"),
        }
    }

    /// The download behind a link, as a cloud store would answer.
    fn export(&mut self, name: &str, call: &Call, entry: &mut Entry) -> Reply {
        let Some(link) = self.links.get(name) else {
            return store_error(404, "NoSuchKey");
        };
        entry.task = Some(link.task.to_string());
        if self.clock.seconds() >= link.expires {
            return store_error(self.settings.expired_status, "ExpiredToken");
        }
        let Some(task) = self.tasks.find(&link.task) else {
            return store_error(404, "NoSuchKey");
        };
        let Some(snapshot) = task.snapshot.clone() else { return store_error(404, "NoSuchKey") };
        let since = self.since(task.compliance);
        entry.acted = true;
        let at = Occasion { kind: Kind::Export, project: call.query("token") };
        let taints = self.faults.taints(at, &mut self.dice);
        let password = self.settings.export_password.clone();
        let order = ExportOrder {
            snapshot,
            today: self.today,
            since,
            format: link.format,
            cell: self.written.cell(name, &password, &taints),
            password,
            taints,
            serving: Serving {
                range: call.range.clone(),
                if_range: call.if_range.clone(),
                ranges: self.settings.export_ranges.pick(&mut self.dice) == Toggle::On,
                checksums: self.settings.export_checksums.pick(&mut self.dice) == Toggle::On,
            },
        };
        Reply::export(order)
    }

    /// CCPA asks for a year.
    fn since(&self, compliance: &str) -> Option<DateTime<Utc>> {
        (compliance == "CCPA").then(|| self.clock.date() - chrono::TimeDelta::days(365))
    }

    /// What would be exported about one id now.
    pub(crate) fn person(&self, project: &str, id: &str) -> ExportOrder {
        let snapshot = self.people.snapshot(project, &[Arc::from(id)], self.settings.invent);
        self.order(Arc::new(snapshot), "GDPR")
    }

    /// An export of lines with nothing wrong in it.
    fn order(&self, snapshot: Arc<Snapshot>, compliance: &str) -> ExportOrder {
        ExportOrder {
            snapshot,
            today: self.today,
            since: self.since(compliance),
            format: crate::forms::ExportFormat::Ndjson,
            password: String::new(),
            taints: Vec::new(),
            serving: Serving::default(),
            cell: crate::export::Cell::default(),
        }
    }
}

impl State {
    /// What finished retrievals hold about each of their ids, one JSON object a line.
    pub(crate) fn delivered(&self, of_task: Option<&str>) -> Vec<u8> {
        let mut lines = Vec::new();
        let tasks = self.tasks.iter().filter(|task| of_task.is_none_or(|id| *task.id == *id));
        for task in tasks {
            let Some(snapshot) = &task.snapshot else { continue };
            for (id, source) in &snapshot.people {
                let alone = Snapshot {
                    people: vec![(Arc::clone(id), source.clone())],
                    invent: snapshot.invent,
                };
                let order = self.order(Arc::new(alone), task.compliance);
                let records: Vec<Value> = crate::export::records(&order).collect();
                let line = json!({ "task": &*task.id, "id": &**id, "records": records });
                lines.extend(line.to_string().into_bytes());
                lines.push(b'\n');
            }
        }
        lines
    }
}

fn store_error(status: u16, code: &str) -> Reply {
    let body = format!("<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>");
    Reply::new(status, "application/xml", body)
}
