//! Asks for the deletion of one person's data and tells where the request stands.
//!
//! `cargo run -p gdpr-jobs --example enqueue -- redis://127.0.0.1:6379 user-001`

use gdpr_jobs::{DistinctId, Document, Kind, Producer, Project, Reader};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(distinct_id)) = (arguments.next(), arguments.next()) else {
        return Err("usage: enqueue REDIS_URL DISTINCT_ID".into());
    };
    let connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let project: Project = "default".parse()?;

    let document = Document::new(Kind::Deletion, [DistinctId::new(distinct_id)]);
    let enqueued = Producer::new(connection.clone(), &project).enqueue(&document).await?;
    println!("{enqueued:?}");

    match Reader::new(connection, &project).status(enqueued.id()).await? {
        Some(record) => println!("{}", record.status),
        None => println!("on the stream; a worker takes it up next"),
    }
    Ok(())
}
