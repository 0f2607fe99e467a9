//! One operating-system process under test: its log, its signals and its end.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use crate::until;

/// What a process is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ends it at once; it cannot object.
    Kill,
    /// Asks it to finish its work and leave.
    Terminate,
    /// The keyboard's interrupt.
    Interrupt,
    /// Freezes it: its sockets stay open and it does not answer.
    Stop,
    /// Thaws it.
    Continue,
}

impl Signal {
    fn flag(self) -> &'static str {
        match self {
            Self::Kill => "-KILL",
            Self::Terminate => "-TERM",
            Self::Interrupt => "-INT",
            Self::Stop => "-STOP",
            Self::Continue => "-CONT",
        }
    }
}

/// A started process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; both its output streams go to the file `log`.
    pub fn start(name: &str, command: &mut Command, log: PathBuf) -> io::Result<Self> {
        let file = File::create(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        Ok(Self {
            name: name.to_owned(),
            child: command.spawn()?,
            log,
        })
    }

    /// The operating system's id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything the process has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When there is no such process any more.
    pub fn signal(&self, signal: Signal) {
        let id = self.id().to_string();
        let status = Command::new("kill").args([signal.flag(), &id]).status();
        let sent = status.is_ok_and(|status| status.success());
        assert!(
            sent,
            "{} ({id}) takes no {signal:?}:\n{}",
            self.name,
            self.log()
        );
    }

    /// The exit status when the process has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for the end of the process.
    ///
    /// # Panics
    /// When it still runs after `deadline`.
    pub async fn end(&mut self, deadline: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        let child = std::cell::RefCell::new(&mut self.child);
        until(&what, deadline, || async {
            child.borrow_mut().try_wait().ok().flatten()
        })
        .await
    }

    /// The most memory the process has had resident, in bytes.
    pub fn peak_memory_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Killed rather than asked: a frozen process would not hear.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Lets this process, and those that it starts from then on, have `files` open at the same time.
///
/// # Panics
/// When the system allows fewer.
pub fn allow_open_files(files: u64) {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    let is_enough = soft.is_some_and(|soft| {
        soft == "unlimited" || soft.parse::<u64>().is_ok_and(|soft| soft >= files)
    });
    if is_enough {
        return;
    }
    let id = std::process::id().to_string();
    let raised = Command::new("prlimit")
        .args(["--pid", &id, &format!("--nofile={files}:")])
        .status();
    let raised = raised.is_ok_and(|status| status.success());
    assert!(
        raised,
        "this test needs {files} open files: raise `ulimit -Hn`"
    );
}

/// The program under test: `WATERBUCK_BIN`, else the one beside this test's own executable.
///
/// # Panics
/// When there is none; the text says how to make it.
pub fn waterbuck_binary() -> PathBuf {
    if let Some(path) = env::var_os("WATERBUCK_BIN") {
        return PathBuf::from(path);
    }
    let here = env::current_exe().unwrap_or_default();
    let folders = here.ancestors().skip(1).take(2);
    let found = folders
        .map(|folder| folder.join("waterbuck"))
        .find(|path| path.is_file());
    let missing = "no waterbuck program: run `cargo build --bin waterbuck` or set WATERBUCK_BIN";
    found.as_deref().map(Path::to_path_buf).expect(missing)
}
