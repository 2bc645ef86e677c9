//! The same work for many things, by a few threads.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

/// Does `work` for 0 to `count`, by `threads` threads, each with a tool of its own. The results stand in order; after an error no
/// more work is begun, and the error of the first thing that failed is returned.
pub(super) fn in_parallel<S, T: Send, E: Send>(
    threads: usize,
    count: usize,
    tool: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let serve = || {
        let (mut tool, mut done) = (tool(), Vec::new());
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            let result = work(&mut tool, number);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            done.push((number, result));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(count)).map(|_| scope.spawn(serve)).collect();
        let mut done = serve();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|&(number, _)| number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_order_whoever_made_them() {
        for threads in 0..5 {
            for count in [0, 1, 2, 100] {
                let done = in_parallel::<_, _, ()>(threads, count, || (), |(), n| Ok(n * n));
                assert_eq!(done, Ok((0..count).map(|n| n * n).collect()));
            }
        }
    }

    #[test]
    fn an_error_ends_the_work() {
        for threads in 0..5 {
            let begun = AtomicUsize::new(0);
            let done = in_parallel(
                threads,
                1_000_000,
                || (),
                |(), n| {
                    begun.fetch_add(1, Ordering::Relaxed);
                    if n == 7 { Err(n) } else { Ok(()) }
                },
            );
            assert_eq!(done, Err(7));
            assert!(begun.into_inner() < 1_000_000);
        }
    }
}
