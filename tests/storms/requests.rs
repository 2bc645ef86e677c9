//! Producers that send nonsense half of the time.

use crate::{
    field::{Field, Plan, scaled},
    load::Mix,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed() {
    let plan = Plan { mix: Mix::HALF_MALFORMED, ..Plan::new("malformed", scaled(600, 20_000)) };
    let mut field = Field::new(plan).await;
    field.storm(scaled(3, 20), async |field| field.pause(10..50).await).await;
    assert_eq!(field.fleet.ended, 0, "no replica ended over a bad document");
    field.verdict().await;
}
