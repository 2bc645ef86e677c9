//! Server processes of a story: started on free ports, gone when the story ends.

use std::{
    ffi::OsStr,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

/// The signal by which a process stands still, or goes on.
#[derive(Clone, Copy)]
pub(crate) enum Signal {
    Stop,
    Continue,
}

/// A server of the Redis family.
pub(crate) struct Server {
    program: PathBuf,
    folder: PathBuf,
    arguments: Vec<String>,
    pub(crate) port: u16,
    process: Child,
}

impl Server {
    /// Starts `program` in a folder of its own with what `arguments` makes of a free port.
    pub(crate) fn start(
        program: impl AsRef<OsStr>,
        folder: PathBuf,
        arguments: impl Fn(u16) -> Vec<String>,
    ) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        let program = PathBuf::from(program.as_ref());
        // Another story may take the port between its choice and its use: then this server ends at once.
        loop {
            let port = super::free_port();
            let arguments = arguments(port);
            let mut process = spawn(&program, &folder, &arguments);
            if is_up(&mut process, &folder) {
                return Self { program, folder, arguments, port, process };
            }
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on the same port and data, with further arguments.
    pub(crate) fn restart(&mut self, more: &[&str]) {
        let mut arguments = self.arguments.clone();
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        self.process = spawn(&self.program, &self.folder, &arguments);
        assert!(is_up(&mut self.process, &self.folder), "it did not start again");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
        };
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(program: &Path, folder: &Path, arguments: &[String]) -> Child {
    Command::new(program)
        .args(arguments)
        .arg("--dir")
        .arg(folder)
        .stdout(File::create(folder.join("server.log")).unwrap())
        .spawn()
        .unwrap_or_else(|error| panic!("{} could not be started: {error}", program.display()))
}

/// Waits until the server says that it is ready (true) or has ended (false).
fn is_up(process: &mut Child, folder: &Path) -> bool {
    let deadline = Instant::now() + super::PATIENCE;
    loop {
        let log = std::fs::read_to_string(folder.join("server.log")).unwrap();
        if log.contains("Ready to accept connections") || log.contains("Sentinel ID is") {
            return true;
        }
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(Instant::now() < deadline, "the server does not start:\n{log}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
