//! What the process has in memory stays there: identifiers of people, tokens and the pepper belong in no file that a
//! crash leaves behind, and nobody else of the same user reads them with a debugger.

use std::io;

/// What could not be had, with the reason; the program works all the same.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StillPossible {
    /// The limit on their size could not be set.
    #[error(
        "core dumps cannot be limited to nothing ({0}): set `ulimit -c 0` where the program is started"
    )]
    Files(io::Error),
    /// The system did not take it that this process is not to be dumped.
    #[cfg(target_os = "linux")]
    #[error(
        "the memory of this process cannot be closed to others ({0}): \
         expected a system that allows prctl(PR_SET_DUMPABLE)"
    )]
    Memory(io::Error),
}

/// Forbids core dumps of this process, each way by itself.
///
/// The limit holds for files. A system that hands dumps to a program of its own (`core_pattern` with a pipe) pays no
/// heed to it, but to the process being not dumpable; that also closes `/proc/PID/mem` and its debugger to other
/// processes of the same user.
pub(crate) fn forbid() -> Vec<StillPossible> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    let files =
        setrlimit(Resource::Core, nothing).map_err(|error| StillPossible::Files(error.into()));
    [files, close_memory()].into_iter().filter_map(Result::err).collect()
}

#[cfg(target_os = "linux")]
fn close_memory() -> Result<(), StillPossible> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| StillPossible::Memory(error.into()))
}

/// Other systems have no such switch.
#[cfg(not(target_os = "linux"))]
fn close_memory() -> Result<(), StillPossible> {
    Ok(())
}
