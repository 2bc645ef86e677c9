//! Server processes of a story: started on free ports, gone when the story ends.

use std::{
    ffi::OsStr,
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

/// The signal by which a process stands still, goes on, or is asked to end.
#[derive(Clone, Copy)]
pub(crate) enum Signal {
    Stop,
    Continue,
    Terminate,
}

impl Signal {
    pub(crate) fn send(self, pid: u32) {
        let name = match self {
            Self::Stop => "-STOP",
            Self::Continue => "-CONT",
            Self::Terminate => "-TERM",
        };
        assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
    }
}

/// Arguments of a server that keeps what it is told.
pub(super) fn durable(port: u16) -> Vec<String> {
    let port = port.to_string();
    let arguments = [
        ["--bind", "127.0.0.1"],
        ["--port", &port],
        ["--save", ""],
        ["--appendonly", "yes"],
        ["--appendfsync", "always"],
        ["--maxmemory-policy", "noeviction"],
    ];
    arguments.into_iter().flatten().map(str::to_owned).collect()
}

/// The same with more of them; of one that stands twice, the last one counts.
pub(super) fn and(mut arguments: Vec<String>, more: &[&str]) -> Vec<String> {
    arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
    arguments
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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
            let port = free_port();
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
        let arguments = and(self.arguments.clone(), more);
        self.process = spawn(&self.program, &self.folder, &arguments);
        assert!(is_up(&mut self.process, &self.folder), "it did not start again");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal.send(self.process.id());
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
        .unwrap_or_else(|error| {
            panic!(
                "{} could not be started ({error}): scripts/test installs what is needed",
                program.display()
            )
        })
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
