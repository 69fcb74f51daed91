//! The thread that starts all processes.
//!
//! Linux sends the parent-death signal when the *thread* that started a process ends, not the process
//! that it belongs to. Test threads and the threads of an async runtime come and go, so one thread,
//! which lives as long as this process, starts everything.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

type Job = (Command, Sender<io::Result<Child>>);

/// Starts a process whose parent thread never ends before this process does.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static JOBS: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let (answer, started) = channel();
    JOBS.get_or_init(|| Mutex::new(run()))
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, answer))
        .map_err(io::Error::other)?;
    started.recv().map_err(io::Error::other)?
}

fn run() -> Sender<Job> {
    let (jobs, waiting) = channel::<Job>();
    std::thread::Builder::new()
        .name("spawner".to_owned())
        .spawn(move || {
            for (mut command, answer) in waiting {
                // Whoever asked may have given up; the child's handle is then dropped with the answer.
                drop(answer.send(command.spawn()));
            }
        })
        .expect("a thread can be started");
    jobs
}
