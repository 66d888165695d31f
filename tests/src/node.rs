//! One node: a process of the built program, and its command line.
//!
//! Invariant: the process ends with the test, however that ends: its standard input is a pipe that
//! only the test holds, and it stops when that closes.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::program;
use crate::site::Site;
use crate::socket;
use crate::wait::until;
use crate::world::Reach;

/// A node of one organisation.
#[derive(Debug)]
pub struct Node {
    /// The organisation's name.
    pub name: &'static str,
    /// The organisation's id.
    pub id: String,
    /// The data directory.
    pub data: PathBuf,
    /// Where partners dial.
    pub federation: SocketAddr,
    /// Where the API is served over HTTPS.
    pub api: SocketAddr,
    metrics: SocketAddr,
    addresses: [String; 4],
    process: Option<Child>,
    wrapper: Vec<String>,
}

/// A command that was refused.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The exit code.
    pub code: i32,
    /// What kind of error it is, as the API names it.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hints: Vec<String>,
    /// What the command printed all the same.
    pub reply: Value,
}

impl Node {
    /// Makes a node in a folder that does not exist yet; it does not run yet.
    pub(crate) fn init(data: &Path, name: &'static str, reach: Reach) -> Self {
        let [federation, pairing, api, metrics] = std::array::from_fn(|_| port());
        let addresses = [
            ("--federation", federation),
            ("--pairing", pairing),
            ("--api", api),
            ("--metrics", metrics),
        ];
        let addresses = addresses.map(|(option, address)| format!("{option}={address}"));
        let mut init = Command::new(program::path());
        init.args(["init", "--json", "--allow-private", "--name", name])
            .arg("--data")
            .arg(data)
            .args(&addresses);
        if reach == Reach::Dialable {
            init.args(["--advertise", &federation.to_string()]);
        }
        let made = output(&mut init).unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
        Self {
            name,
            id: text(&made["organisation"]),
            data: data.to_owned(),
            federation,
            api,
            metrics,
            addresses,
            process: None,
            wrapper: Vec::new(),
        }
    }

    /// The options of `init` that say where it listens.
    pub fn addresses(&self) -> [String; 4] {
        self.addresses.clone()
    }

    /// Makes the node where it is not yet, by the program that other words run.
    pub fn make(&self, wrapper: &[String]) {
        let mut init = Command::new(&wrapper[0]);
        init.args(&wrapper[1..])
            .arg(program::path())
            .args(["init", "--allow-private", "--json", "--name", self.name])
            .arg("--data")
            .arg(&self.data)
            .args(&self.addresses);
        output(&mut init).unwrap_or_else(|refused| panic!("{}: {refused:?}", self.name));
    }

    /// Starts the node, and waits until it answers.
    pub fn start(&mut self) {
        if let Err(said) = self.try_start() {
            panic!("{} does not start: {said}", self.name);
        }
    }

    /// Starts the node where it may refuse that.
    ///
    /// # Errors
    /// What it says where it ends.
    pub fn try_start(&mut self) -> Result<(), String> {
        let before = self.log().len();
        self.launch();
        let ended = until(&format!("{} answers or gives up", self.name), || {
            let process = self.process.as_mut().expect("it was started");
            let ended = process.try_wait().expect("a child can be watched");
            match ended {
                Some(_) => Some(true),
                None => self.answers().then_some(false),
            }
        });
        if !ended {
            return Ok(());
        }
        self.process = None;
        let log = self.log();
        Err(log.get(before..).unwrap_or_default().to_owned())
    }

    fn answers(&self) -> bool {
        let asked = self.ask("GET", "/v0/node", None);
        asked.is_ok_and(|(status, _)| status == 200)
    }

    /// Starts the node where it is to refuse that, and gives what it says.
    pub fn refuses_to_start(&mut self) -> String {
        let started = self.try_start();
        started.expect_err("it refuses to start")
    }

    /// Has every later start go through a program that runs another, such as `faketime`.
    pub fn wrap(&mut self, wrapper: &[&str]) {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
    }

    fn launch(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file());
        let mut words = self.wrapper.clone();
        words.push(program::path().display().to_string());
        let mut run = Command::new(&words[0]);
        run.args(&words[1..])
            .args(["run", "--until-stdin-closes", "--data"])
            .arg(&self.data)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log.expect("the log can be written"));
        self.process = Some(run.spawn().expect("the program can be started"));
    }

    /// Stops the node in order.
    pub fn stop(&mut self) {
        let status = self.close();
        assert!(status.success(), "{} stops in order: {status}", self.name);
    }

    /// Tells the node to stop, and waits until it has, in order or not.
    pub fn close(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        drop(process.stdin.take());
        until(&format!("{} stops", self.name), || {
            process.try_wait().expect("a child can be watched")
        })
    }

    /// Starts the node and kills it so much later, whether it answers by then or not.
    pub fn start_and_kill(&mut self, after: Duration) {
        self.launch();
        std::thread::sleep(after);
        self.kill();
    }

    /// The process, as the system numbers it.
    pub fn process(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Kills the node with SIGKILL, wherever it is.
    pub fn kill(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("a child can be killed");
        process.wait().expect("a child can be waited for")
    }

    /// Runs a command; panics where it fails.
    pub fn call(&self, arguments: &[&str]) -> Value {
        Site::call(self, arguments)
    }

    /// Runs a command that is to fail; panics where it does not.
    pub fn refused(&self, arguments: &[&str]) -> Refused {
        Site::refused(self, arguments)
    }

    /// Runs a command.
    ///
    /// # Errors
    /// [`Refused`] where it fails.
    pub fn try_call(&self, arguments: &[&str]) -> Result<Value, Refused> {
        Site::try_call(self, arguments)
    }

    /// Runs a command as a person does, and gives all that is shown.
    pub fn shown(&self, arguments: &[&str]) -> String {
        let ran = self.command().args(arguments).output();
        let ran = ran.expect("the program can be started");
        String::from_utf8(ran.stdout).expect("text") + &String::from_utf8_lossy(&ran.stderr)
    }

    /// The program, told which node.
    pub fn command(&self) -> Command {
        let mut command = Command::new(program::path());
        command.arg("--data").arg(&self.data).stdin(Stdio::null());
        command
    }

    /// Calls the API over the local socket, and gives the status and the answer.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", path, Some(body))
            .unwrap_or_else(|error| panic!("{}: POST {path}: {error}", self.name))
    }

    /// Calls the API over the local socket where the node may not answer.
    ///
    /// # Errors
    /// Where it does not, or not in time.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<(u16, Value)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let (status, page) = socket::call(&self.data, method, path, body.as_bytes())?;
        let json = serde_json::from_slice(&page).map_err(io::Error::other)?;
        Ok((status, json))
    }

    /// The same node with its data elsewhere; it does not run there.
    #[must_use]
    pub fn moved(&self, data: &Path) -> Self {
        Self {
            name: self.name,
            id: self.id.clone(),
            data: data.to_owned(),
            federation: self.federation,
            api: self.api,
            metrics: self.metrics,
            addresses: self.addresses.clone(),
            process: None,
            wrapper: Vec::new(),
        }
    }

    /// Reads all of the node's figures.
    pub fn figures(&self) -> String {
        get(self.metrics, "/metrics")
    }

    /// Reads one of the node's figures, by its line up to the number.
    pub fn figure(&self, line: &str) -> u64 {
        let page = self.figures();
        let found = page.lines().find_map(|found| found.strip_prefix(line));
        found
            .and_then(|number| number.trim().parse().ok())
            .unwrap_or_else(|| panic!("{} has no figure {line}: {page}", self.name))
    }

    /// The bytes of files that went through this process: `in` or `out`.
    pub fn bytes(&self, direction: &str) -> u64 {
        self.figure(&format!(
            "interdocket_blob_bytes_total{{direction=\"{direction}\"}}"
        ))
    }

    /// What the node has logged since it was made.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.data.with_extension("log")
    }
}

impl Site for Node {
    fn name(&self) -> &str {
        self.name
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn try_call(&self, arguments: &[&str]) -> Result<Value, Refused> {
        output(self.command().arg("--json").args(arguments))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // What cannot be killed has ended.
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len().saturating_sub(LOG_BYTES);
            let tail = log.as_bytes().get(from..).unwrap_or_default();
            eprintln!(
                "---- log of {}\n{}",
                self.name,
                String::from_utf8_lossy(tail)
            );
        }
    }
}

/// The text in a reply.
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not text: {value}"))
        .to_owned()
}

/// Runs a command of the program that prints JSON.
///
/// # Errors
/// [`Refused`] where it fails.
pub fn output(command: &mut Command) -> Result<Value, Refused> {
    let ran = command.output().expect("the program can be started");
    let reply = String::from_utf8(ran.stdout).expect("replies are text");
    let reply = match reply.trim() {
        "" => Value::Null,
        json => serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}")),
    };
    if ran.status.success() {
        return Ok(reply);
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    let error: Value = serde_json::from_str(said.trim()).unwrap_or_default();
    let part = |name: &str| error["error"][name].as_str().unwrap_or_default().to_owned();
    let message = part("message");
    let hints = error["error"]["hints"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    Err(Refused {
        code: ran.status.code().unwrap_or(-1),
        kind: part("kind"),
        message: if message.is_empty() {
            said.into_owned()
        } else {
            message
        },
        hints: hints.iter().map(text).collect(),
        reply,
    })
}

/// Reads a page over plain HTTP.
fn get(address: SocketAddr, path: &str) -> String {
    let mut page = String::new();
    let read = TcpStream::connect(address).and_then(|mut stream| {
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        stream.read_to_string(&mut page)
    });
    read.unwrap_or_else(|error| panic!("http://{address}{path}: {error}"));
    page
}

/// Finds a port on loopback that nobody has, below those that the system gives out by itself, so that
/// no connection takes it while its node is down.
fn port() -> SocketAddr {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id().wrapping_mul(32) + TRIED.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + u16::try_from(place % 20_000).expect("it is small");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// As much of a log as helps where a test fails.
const LOG_BYTES: usize = 6_000;
