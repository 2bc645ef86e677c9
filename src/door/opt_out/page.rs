//! What a person sees behind an opt-out link: a page with a button, so that programs which look at the links of a mail
//! change nothing; and what became of pressing it. Mail programs may press it for the person (RFC 8058, `List-Unsubscribe-Post`).

use std::sync::{Arc, LazyLock};

use axum::{
    extract::{Path, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use chrono::Utc;
use data_encoding::BASE64;
use gdpr_jobs::{Document, Kind, Status};
use sha2::{Digest, Sha256};

use super::{
    asking::ask,
    link::{LinkKey, OptOutLink},
};
use crate::door::{Door, projects::DoorProject};

const STYLE: &str = "body{font:18px/1.5 system-ui,sans-serif;max-width:34em;margin:4em auto;padding:0 1em}button{font:inherit;padding:.6em 1.2em;cursor:pointer}";

/// Nothing but this page's own style, a form to this address, and no frame around it.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = BASE64.encode(&Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// What a page can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Question,
    InForce,
    Accepted,
    Invalid,
    Later,
}

impl Page {
    const fn status(self) -> StatusCode {
        match self {
            Self::Question | Self::InForce => StatusCode::OK,
            Self::Accepted => StatusCode::ACCEPTED,
            Self::Invalid => StatusCode::NOT_FOUND,
            Self::Later => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Question => "Opt out of usage tracking",
            Self::InForce => "You have opted out",
            Self::Accepted => "Your opt-out is accepted",
            Self::Invalid => "This link does not work",
            Self::Later => "Please try again",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Question => {
                "<p>If you opt out, what you do here is no longer sent to our usage analytics.</p><form method=\"post\"><button>Opt out</button></form>"
            }
            Self::InForce => {
                "<p>From now on nothing of what you do here is sent to our usage analytics.</p>"
            }
            Self::Accepted => {
                "<p>It will be in force in a short while. You need not do anything more.</p>"
            }
            Self::Invalid => {
                "<p>It may be incomplete, or its time is over. Please ask for a new one.</p>"
            }
            Self::Later => {
                "<p>Your opt-out could not be recorded just now.</p><form method=\"post\"><button>Try again</button></form>"
            }
        }
    }
}

/// Shows the button. Changes nothing.
pub(super) async fn show(State(door): State<Arc<Door>>, Path(sealed): Path<String>) -> Response {
    let page = if open(&door, &sealed).is_some() { Page::Question } else { Page::Invalid };
    response(page)
}

/// The button was pressed.
pub(super) async fn opt_out(State(door): State<Arc<Door>>, Path(sealed): Path<String>) -> Response {
    let page = press(&door, &sealed).await;
    let word = match page {
        Page::Invalid => "invalid_link",
        Page::Later => "not_taken",
        _ => "taken",
    };
    door.counters.call("/opt_out/link", word);
    response(page)
}

async fn press(door: &Door, sealed: &str) -> Page {
    let Some((project, link)) = open(door, sealed) else { return Page::Invalid };
    // Without an id of its own: who opted in again since may use the same link once more.
    let document = Document::new(Kind::OptOut, link.distinct_ids);
    match ask(project, &document).await {
        Ok(asked) => match asked.status {
            Status::Completed => Page::InForce,
            Status::Rejected | Status::Failed | Status::Cancelled => {
                tracing::warn!(request = %asked.id, status = %asked.status, "an opt-out by link did not come into force");
                Page::Later
            }
            _ => Page::Accepted,
        },
        Err(error) => {
            tracing::warn!(fault = %error, "an opt-out by link could not be enqueued");
            Page::Later
        }
    }
}

/// What a link says, and the project whose key made it.
fn open<'a>(door: &'a Door, sealed: &str) -> Option<(&'a DoorProject, OptOutLink)> {
    let now = Utc::now();
    door.projects.all().iter().find_map(|project| {
        let link = LinkKey::new(project.application_key.as_ref()?).open(sealed, now)?;
        (link.project == project.project).then_some((project, link))
    })
}

fn response(page: Page) -> Response {
    let (title, text) = (page.title(), page.text());
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>{STYLE}</style><h1>{title}</h1>{text}</html>"
    );
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    (page.status(), headers, html).into_response()
}
