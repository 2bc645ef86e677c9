//! What a process tells about itself over HTTP: `/health`, `/metrics` (Prometheus text) and a status page. Counts and
//! states only: no tags, no ids.

use std::{
    collections::BTreeMap, fmt::Write as _, future::Future, net::SocketAddr, sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use chrono::Utc;
use serde_json::json;
use tokio::net::TcpListener;

use crate::{door::Counters, steps::Context};

/// Redis must answer within this for the process to be healthy.
const REDIS_WITHIN: Duration = Duration::from_secs(3);

/// What is told of.
#[derive(Clone)]
struct Served {
    contexts: Arc<[Arc<Context>]>,
    door: Option<Arc<Counters>>,
}

/// Serves until `stop`. A taken address is a warning: the work goes on without it.
pub async fn serve(
    address: SocketAddr,
    contexts: Vec<Arc<Context>>,
    door: Option<Arc<Counters>>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%address, %error, "health and metrics are not served: give this process another GDPR_LISTEN, or off");
            return;
        }
    };
    let contexts = Served { contexts: contexts.into(), door };
    let router = Router::new()
        .route("/", get(page))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(contexts);
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
        tracing::warn!(%error, "health and metrics ended");
    }
}

/// What is wrong with a project, for people to read; empty when all is well.
async fn problems(ctx: &Context) -> Vec<String> {
    let Ok(Ok(state)) = tokio::time::timeout(REDIS_WITHIN, ctx.pace.state()).await else {
        return vec![format!("project {}: Redis does not answer", ctx.project)];
    };
    let credentials = state.credentials.map(|refused| {
        format!(
            "Mixpanel refuses the credentials (HTTP {}) since {}: renew MIXPANEL_OAUTH_TOKEN; requests are kept",
            refused.status, refused.since.format("%Y-%m-%dT%H:%M:%SZ")
        )
    });
    // That Redis does not answer is said above.
    let volatile = tokio::time::timeout(REDIS_WITHIN, ctx.ledger.volatile()).await;
    let volatile = volatile.ok().and_then(Result::ok).flatten();
    let volatile = volatile.map(|finding| {
        format!("calls are stopped, because {} is at risk: {}", finding.what, finding.text)
    });
    let found = volatile.into_iter().chain(credentials).chain(ctx.delivery.problems());
    found.map(|problem| format!("project {}: {problem}", ctx.project)).collect()
}

async fn health(State(served): State<Served>) -> impl IntoResponse {
    let mut found = Vec::new();
    for ctx in served.contexts.iter() {
        found.extend(problems(ctx).await);
    }
    let status = if found.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ok": found.is_empty(), "problems": found })))
}

async fn stats(ctx: &Context) -> Option<(BTreeMap<String, i64>, Option<i64>)> {
    let read = async { Some((ctx.ledger.stats().await.ok()?, ctx.ledger.due(1).await.ok()?)) };
    let (stats, due) = tokio::time::timeout(REDIS_WITHIN, read).await.ok()??;
    Some((stats, due.first().map(|first| first.due)))
}

async fn events(ctx: &Context) -> Option<(u64, BTreeMap<String, u64>)> {
    tokio::time::timeout(REDIS_WITHIN, ctx.ledger.events_state()).await.ok()?.ok()
}

async fn metrics(State(served): State<Served>) -> impl IntoResponse {
    let mut text = String::from("# TYPE gdpr_requests gauge\n");
    let mut more = String::new();
    for ctx in served.contexts.iter() {
        let project = &ctx.project;
        let up = stats(ctx).await;
        let _ = writeln!(more, "gdpr_redis_up{{project=\"{project}\"}} {}", u8::from(up.is_some()));
        let refused = problems(ctx).await.len();
        let _ = writeln!(more, "gdpr_problems{{project=\"{project}\"}} {refused}");
        let Some((stats, first_due)) = up else { continue };
        for (name, count) in stats {
            if let Some((kind, status)) = name.split_once('.') {
                let _ = writeln!(
                    text,
                    "gdpr_requests{{project=\"{project}\",kind=\"{kind}\",status=\"{status}\"}} {count}"
                );
            }
        }
        if let Some((waiting, counts)) = events(ctx).await {
            let _ = writeln!(more, "gdpr_events_waiting{{project=\"{project}\"}} {waiting}");
            for (what, count) in counts {
                let _ = writeln!(
                    more,
                    "gdpr_filter_total{{project=\"{project}\",what=\"{what}\"}} {count}"
                );
            }
        }
        if let Some(due) = first_due {
            let _ = writeln!(
                more,
                "gdpr_first_deadline_seconds{{project=\"{project}\"}} {}",
                due - Utc::now().timestamp()
            );
        }
    }
    if let Some(door) = served.door {
        more.push_str(&door.prometheus());
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text + &more)
}

async fn page(State(served): State<Served>) -> impl IntoResponse {
    let mut html = String::from(
        "<!doctype html><meta charset=utf-8><title>gdpr-worker</title><style>body{font:16px sans-serif;margin:2em}td{padding:.2em 1em}</style><h1>gdpr-worker</h1>",
    );
    for ctx in served.contexts.iter() {
        let _ = write!(html, "<h2>{}</h2>", ctx.project);
        for problem in problems(ctx).await {
            let _ = write!(html, "<p><strong>{problem}</strong>");
        }
        html.push_str("<table>");
        for (name, count) in stats(ctx).await.map(|(stats, _)| stats).unwrap_or_default() {
            if count != 0 {
                let _ = write!(html, "<tr><td>{name}<td>{count}");
            }
        }
        html.push_str("</table>");
    }
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], html)
}
