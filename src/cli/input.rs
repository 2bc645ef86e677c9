//! A file that a command reads, or stdin, with its progress at a terminal.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::Path,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::Failure;

/// Opens `file` (`-` is stdin), which should be `expected`. The reader moves the bar, which is seen at a
/// terminal alone.
pub(super) fn open(
    file: &Path,
    expected: &str,
) -> Result<(impl Read + use<>, ProgressBar), Failure> {
    let seen = io::stderr().is_terminal();
    let (reader, bar): (Box<dyn Read>, _) = if file == Path::new("-") {
        let bar = if seen { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        (Box::new(io::stdin()), styled(bar, "{spinner} {binary_bytes} {msg}"))
    } else {
        let found = |e: io::Error| {
            let (file, kind) = (file.display(), e.kind());
            Failure::told(format!("{file} cannot be opened ({kind}): expected {expected}"))
        };
        let reader = File::open(file).map_err(found)?;
        let length = reader.metadata().map_err(found)?.len();
        let bar = if seen { ProgressBar::new(length) } else { ProgressBar::hidden() };
        (Box::new(reader), styled(bar, "{bar:30} {percent:>3} % {msg} (still {eta})"))
    };
    Ok((bar.wrap_read(reader), bar))
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
