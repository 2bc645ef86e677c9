//! Places where a test can end the process, as if the power had gone: `GDPR_FAILPOINT=NAME` or `NAME:3` for the third
//! time. Release builds have none.

/// Ends the process without any farewell if a test asked for that here.
#[cfg(debug_assertions)]
pub(crate) fn reached(name: &str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };
    static ARMED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = std::env::var("GDPR_FAILPOINT").ok()?;
        match text.split_once(':') {
            Some((name, time)) => Some((name.to_owned(), time.parse().ok()?)),
            None => Some((text, 1)),
        }
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);
    if let Some((armed, time)) = &*ARMED
        && armed == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *time
    {
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub(crate) fn reached(_: &str) {}
