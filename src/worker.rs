//! The long-running process: for each project, one apalis worker that takes documents in and one that does the jobs,
//! both over our own queue, and the mover that brings delayed jobs into their stream.

mod seat;

use std::{sync::Arc, time::Duration};

use apalis::prelude::*;
use futures_util::future::join_all;
use gdpr_jobs::Keys;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    config::{Config, ProjectConfig},
    delivery,
    door::{self, BoundDoor, DoorProject},
    failpoint,
    ledger::{Job, Ledger, LedgerError},
    listen,
    mixpanel::Pace,
    queue::{Connector, Delayed, Delivery, Gate, Mover, QueueOptions, StreamQueue},
    steps::{self, Context, INTAKE_GROUP, Incoming, StepError},
};

use seat::{Seat, look_at_redis};

/// Documents in one intake: one script call, one fsync.
const INTAKE_CHUNK: usize = 500;
/// Jobs at once; nearly all of them wait for an answer.
const JOBS_AT_ONCE: usize = 32;
/// A stop may take this long: calls on the wire are waited for, then given up as unknown.
const STOP_WITHIN: Duration = Duration::from_secs(25);
/// How long a part of this process may still hold a connection to a primary that was replaced.
const STALE_FOR: Duration = Duration::from_secs(30);
/// Jobs and documents fail only when Redis does: they are worth many tries.
const MAX_DELIVERIES: u64 = 1000;

/// Works until the process is told to stop.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let connector = config.redis.connector()?;
    let actor = actor();
    let mut seats = Vec::new();
    for project in &config.projects {
        seats.push(Seat::open(&connector, &project.project, config.durability).await?);
    }
    look_at_redis(&seats, config.durability).await?;
    // First of all: SDKs that find nobody at the address lose their events without a word.
    let door = bind_door(&config, &seats).await?;
    let (stop, stopped) = watch::channel(false);
    let mut parts = JoinSet::new();
    let mut contexts = Vec::new();
    for (project, seat) in config.projects.iter().zip(&seats) {
        let (ctx, mover) = assemble(project, seat, &actor).await?;
        let connector = seat.connector.clone();
        parts.spawn(keep_tidy(Arc::clone(&ctx), stopped.clone()));
        parts.spawn(keep_checkpoints(Arc::clone(&ctx), stopped.clone()));
        let (gate, told) = (seat.gate.clone(), stopped.clone());
        parts.spawn(look_after_failovers(Arc::clone(&ctx), gate, told));
        parts.spawn(delivery::run(Arc::clone(&ctx.delivery), connector, stopped.clone()));
        contexts.push(ctx);
        parts.spawn(mover.run(until(stopped.clone())));
    }
    // The workers live on this task; their handlers run on tasks of their own.
    let workers = contexts
        .iter()
        .zip(&seats)
        .map(|(ctx, seat)| work_for(Arc::clone(ctx), seat.connector.clone(), stopped.clone()));
    let mut workers = std::pin::pin!(join_all(workers));
    if let Some(address) = config.listen {
        let counters = door.as_ref().map(BoundDoor::counters);
        parts.spawn(listen::serve(address, contexts.clone(), counters, until(stopped.clone())));
    }
    if let Some(door) = door {
        tracing::info!(address = %door.address()?, "the door for SDKs is open");
        parts.spawn(door.serve(until(stopped.clone())));
    }
    tracing::info!(worker = actor, projects = contexts.len(), "working");
    tokio::select! {
        told = told_to_stop() => told?,
        _ = &mut workers => anyhow::bail!("the workers ended by themselves: see the log above, then start again"),
    }
    tracing::info!("stopping: no new work; calls on the wire are waited for");
    let _ = stop.send(true);
    let all = async {
        workers.await;
        while parts.join_next().await.is_some() {}
        for ctx in &contexts {
            ctx.calls.close();
            ctx.calls.wait().await;
        }
    };
    if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
        tracing::warn!(
            "stopped with work in flight: another worker takes it over; a call without an answer becomes unknown"
        );
    }
    Ok(())
}

/// The door, with its address taken, if it is wanted.
async fn bind_door(config: &Config, seats: &[Seat]) -> anyhow::Result<Option<BoundDoor>> {
    let Some(settings) = config.door.clone() else { return Ok(None) };
    let projects = config.projects.iter().zip(seats).map(|(project, seat)| DoorProject {
        redis: seat.redis.clone(),
        gate: seat.gate.clone(),
        project: project.project.clone(),
        project_token: project.project_token.clone(),
        application_key: project.application_key.clone(),
        document_key: project.guard.own_key(),
        geolocation: project.privacy.geolocation,
    });
    Ok(Some(door::bind(settings, projects.collect()).await?))
}

async fn assemble(
    project: &ProjectConfig,
    seat: &Seat,
    actor: &str,
) -> anyhow::Result<(Arc<Context>, Mover)> {
    let Seat { connector, redis, gate } = seat;
    let keys = Keys::new(&project.project);
    let delayed = Delayed::new(keys.named("work:delayed"), keys.named("work"));
    let mover = Mover::new(connector.clone(), delayed);
    let poke = mover.poke();
    let ledger = Ledger::new(redis.clone(), &project.project, actor, project.rules)
        .waking(move || poke.poke())
        .keeping(gate.clone());
    let pace = Pace::new(redis.clone(), keys.named("pace"), project.request_interval);
    let ctx = Arc::new(Context::new(project.clone(), ledger, pace)?);
    ctx.claim_store().await?;
    start_up(&ctx).await?;
    Ok((ctx, mover))
}

/// What a start changes: repaired credentials count at once, leftovers of a crash go, forgotten work is asked for.
async fn start_up(ctx: &Arc<Context>) -> anyhow::Result<()> {
    if let Some(refused) = ctx.pace.state().await?.credentials
        && refused.fingerprint != ctx.oauth_fingerprint()
    {
        tracing::info!(project = %ctx.project, "the OAuth token is another one than was refused; calling again");
        ctx.pace.clear_credentials().await?;
    }
    steps::tidy(ctx).await?;
    Ok(ask_for_forgotten_work(ctx).await?)
}

async fn ask_for_forgotten_work(ctx: &Context) -> Result<(), LedgerError> {
    for job in [Job::Sweep, Job::Reconcile, Job::Purge] {
        ctx.ledger.remind(&job).await?;
    }
    if ctx.config.privacy.profile_retention.is_some() {
        ctx.ledger.remind(&Job::Retain).await?;
    }
    Ok(())
}

/// After a failover, the last moments of the server before may be missing, and with them jobs that ask for themselves.
async fn look_after_failovers(ctx: Arc<Context>, gate: Gate, stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = until(stopped.clone()) => return,
            () = gate.another_server() => {}
        }
        tracing::info!(project = %ctx.project, "another Redis server, or the same one restarted: asking for forgotten work");
        for wait in [Duration::ZERO, STALE_FOR] {
            tokio::select! {
                () = until(stopped.clone()) => return,
                () = tokio::time::sleep(wait) => {}
            }
            if let Err(error) = ask_for_forgotten_work(&ctx).await {
                tracing::warn!(project = %ctx.project, %error, "forgotten work could not be asked for; the next sweep does");
            }
        }
    }
}

/// Both workers of a project, until they are told to stop.
async fn work_for(ctx: Arc<Context>, connector: Connector, stopped: watch::Receiver<bool>) {
    let requests = QueueOptions {
        chunk: INTAKE_CHUNK,
        prefetch: 2,
        max_deliveries: MAX_DELIVERIES,
        lease: ctx.config.job_lease,
        ..QueueOptions::new(ctx.ledger.keys().requests(), INTAKE_GROUP)
    };
    let work = QueueOptions {
        prefetch: 0,
        max_deliveries: MAX_DELIVERIES,
        lease: ctx.config.job_lease,
        ..QueueOptions::new(ctx.ledger.keys().named("work"), INTAKE_GROUP)
    };
    let intake = WorkerBuilder::new(format!("intake-{}", ctx.project))
        .backend(StreamQueue::<Incoming>::open(connector.clone(), requests))
        .data(Arc::clone(&ctx))
        .concurrency(2)
        .parallelize(tokio::spawn)
        .catch_panic()
        .build(take_in);
    let jobs = WorkerBuilder::new(format!("jobs-{}", ctx.project))
        .backend(StreamQueue::<Job>::open(connector, work))
        .data(Arc::clone(&ctx))
        .concurrency(JOBS_AT_ONCE)
        .parallelize(tokio::spawn)
        .catch_panic()
        .build(do_job);
    let stop = |stopped| async move {
        until(stopped).await;
        Ok::<(), std::io::Error>(())
    };
    let ended =
        tokio::join!(intake.run_until(stop(stopped.clone())), jobs.run_until(stop(stopped)));
    for (part, ended) in [("intake", ended.0), ("jobs", ended.1)] {
        if let Err(error) = ended {
            tracing::error!(project = %ctx.project, part, %error, "a worker ended with an error");
        }
    }
}

async fn take_in(delivery: Delivery<Incoming>, ctx: Data<Arc<Context>>) -> Result<(), StepError> {
    let taken = steps::intake(&ctx, delivery).await;
    failpoint::reached("intake.settled");
    taken.inspect_err(
        |error| tracing::warn!(project = %ctx.project, %error, "an intake is tried again"),
    )
}

async fn do_job(delivery: Delivery<Job>, ctx: Data<Arc<Context>>) -> Result<(), StepError> {
    for entry in delivery.into_entries() {
        let step = entry.job.step();
        let done = steps::work(&ctx, entry.job, entry.deliveries).await;
        done.inspect_err(
            |error| tracing::warn!(project = %ctx.project, step, %error, "a job is tried again"),
        )?;
        failpoint::reached("job.done");
    }
    Ok(())
}

/// Looks through this replica's spool now and then.
async fn keep_tidy(ctx: Arc<Context>, stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = until(stopped.clone()) => return,
            () = tokio::time::sleep(steps::TIDY_EVERY) => {}
        }
        if let Err(error) = steps::tidy(&ctx).await {
            tracing::warn!(project = %ctx.project, %error, "the spool could not be tidied; tried again");
        }
    }
}

/// Signs checkpoints of the ledger, if there is a key for that.
async fn keep_checkpoints(ctx: Arc<Context>, stopped: watch::Receiver<bool>) {
    let Some(mut notary) = steps::Notary::new(&ctx.config.evidence) else { return };
    loop {
        let wait = notary.sign(&ctx).await.unwrap_or_else(|error| {
            tracing::warn!(project = %ctx.project, %error, "no checkpoint was signed; tried again");
            ctx.config.evidence.checkpoint_every
        });
        tokio::select! {
            () = until(stopped.clone()) => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // The sender lives as long as the process works; without it, stopping is right, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn told_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// How this process is called in the ledger: unique, and without meaning to anybody outside.
fn actor() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "worker" } else { host };
    format!("{host}-{}-{:04x}", std::process::id(), rand::random::<u16>())
}
