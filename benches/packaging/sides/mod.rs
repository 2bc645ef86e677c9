//! What a child of this bench does: one of our own sides. It ends with a line of JSON.

mod package;
mod unsplit;
mod weigh;

use serde_json::Value;

use crate::{child, options::Side};

/// Our own sides.
pub(crate) const PACKAGE: &str = "package";
pub(crate) const UNSPLIT: &str = "unsplit";
pub(crate) const RECOMPRESS: &str = "recompress";
pub(crate) const WEIGH: &str = "weigh";

/// Does what `side` names, and says what it took.
pub(crate) fn run(side: &Side) -> anyhow::Result<()> {
    let facts = match side.name.as_str() {
        PACKAGE => package::run(side)?,
        UNSPLIT => unsplit::run(side)?,
        RECOMPRESS => unsplit::recompress(side)?,
        WEIGH => weigh::run(side)?,
        other => anyhow::bail!("no side is called {other}"),
    };
    println!("{facts}");
    Ok(())
}

/// `facts` with the peak of memory so far.
fn with_peak(mut facts: Value) -> anyhow::Result<Value> {
    if let Some(facts) = facts.as_object_mut() {
        facts.insert("peak_rss_bytes".to_owned(), child::own_peak_rss()?.into());
    }
    Ok(facts)
}
