//! Replicas of the worker, each of which is there again when it has died.

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::world::Signal;

/// One replica.
struct Replica {
    environment: Vec<(String, String)>,
    process: Child,
}

/// All replicas of a field.
pub(crate) struct Fleet {
    program: PathBuf,
    environment: HashMap<String, String>,
    folder: PathBuf,
    replicas: Vec<Replica>,
    started: usize,
    /// How many ended without having been killed.
    pub(crate) ended: usize,
}

impl Fleet {
    pub(crate) fn new(environment: HashMap<String, String>, folder: &Path) -> Self {
        Self {
            program: env!("CARGO_BIN_EXE_gdpr-worker").into(),
            environment,
            folder: folder.to_owned(),
            replicas: Vec::new(),
            started: 0,
            ended: 0,
        }
    }

    /// Replicas that start from now on are of this build.
    pub(crate) fn build(&mut self, program: PathBuf) {
        self.program = program;
    }

    pub(crate) fn len(&self) -> usize {
        self.replicas.len()
    }

    /// One more replica, with these variables besides those of the field.
    pub(crate) fn start(&mut self, environment: &[(&str, String)]) {
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let process = self.spawn(&environment);
        self.replicas.push(Replica { environment, process });
    }

    fn spawn(&mut self, environment: &[(String, String)]) -> Child {
        self.started += 1;
        let log = self.folder.join(format!("replica-{}.log", self.started));
        Command::new(&self.program)
            .arg("run")
            .env_clear()
            .envs(&self.environment)
            .envs(environment.iter().cloned())
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log).unwrap())
            .spawn()
            .unwrap()
    }

    /// SIGKILL, and a new one in its place.
    pub(crate) fn kill(&mut self, number: usize) {
        self.end(number);
        self.again(number);
    }

    /// SIGKILL.
    fn end(&mut self, number: usize) {
        let process = &mut self.replicas[number].process;
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// A new process in the place of one that has ended.
    fn again(&mut self, number: usize) {
        let environment = self.replicas[number].environment.clone();
        self.replicas[number].process = self.spawn(&environment);
    }

    /// Whether a replica has ended by itself. Then it is there no more.
    pub(crate) fn has_died(&mut self, number: usize) -> bool {
        let died = self.replicas[number].process.try_wait().unwrap().is_some();
        if died {
            self.replicas.swap_remove(number);
        }
        died
    }

    /// SIGKILL, and none in its place.
    pub(crate) fn remove(&mut self, number: usize) {
        self.end(number);
        self.replicas.swap_remove(number);
    }

    /// SIGTERM; waits until it has stopped, and starts another one in its place, of the present build.
    pub(crate) async fn roll(&mut self, number: usize) {
        self.signal(number, Signal::Terminate);
        while self.replicas[number].process.try_wait().unwrap().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        self.again(number);
    }

    /// The process of each replica.
    pub(crate) fn processes(&self) -> impl Iterator<Item = u32> {
        self.replicas.iter().map(|replica| replica.process.id())
    }

    pub(crate) fn signal(&self, number: usize, signal: Signal) {
        signal.send(self.replicas[number].process.id());
    }

    /// Starts again what ended by itself, as a container engine would.
    pub(crate) fn tend(&mut self) {
        for number in 0..self.replicas.len() {
            if self.replicas[number].process.try_wait().unwrap().is_some() {
                self.ended += 1;
                self.again(number);
            }
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for replica in &mut self.replicas {
            let _ = replica.process.kill();
            let _ = replica.process.wait();
        }
    }
}
