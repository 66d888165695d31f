//! The nodes of `deploy/compose.yml` in containers, and what can be done to them from outside.
//!
//! Invariant: containers, networks and volumes go with the test, however it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use interdocket_tests::node::{Refused, output, text};
use interdocket_tests::skip::{installed, skip};
use interdocket_tests::wait::until;
use interdocket_tests::{Site, https, program};
use serde_json::Value;

use crate::checker::{self, Asked, Verdict};
use crate::proxy::{self, Weather};

/// Three nodes that run and do not know each other yet.
pub(crate) struct Cluster {
    /// A police agency that partners can dial.
    pub(crate) north: Container,
    /// A police agency that nobody can dial.
    pub(crate) south: Container,
    /// A court that partners can dial.
    pub(crate) court: Container,
    _project: Project,
}

/// A node in a container.
pub(crate) struct Container {
    service: &'static str,
    /// The organisation's id.
    organisation: String,
    /// The container's id.
    container: String,
    network: String,
    root: PathBuf,
    /// Tokens of an auditor, and of an administrator.
    tokens: [String; 2],
}

/// Everything that docker-compose made for one test.
struct Project {
    name: String,
    /// What the containers may read, at the same path as here.
    home: tempfile::TempDir,
    files: &'static [&'static str],
}

impl Cluster {
    /// Makes and starts the nodes; nothing where this machine cannot.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Makes and starts the nodes as files beside `files.yml` have them.
    pub(crate) fn start_with(files: &'static [&'static str]) -> Option<Self> {
        if !PROGRAMS.iter().all(|program| there(program)) {
            return None;
        }
        image();
        let project = Project::new(files);
        project.compose(&["up", "--detach"]);
        let [north, south, court] = ["north", "south", "court"].map(|service| {
            let container = project.compose(&["ps", "--quiet", service]);
            Container::meet(service, container, &project)
        });
        south.undialable();
        Some(Self {
            north,
            south,
            court,
            _project: project,
        })
    }

    /// A path that the containers have as well.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self._project.home.path().join(name)
    }

    /// Has the outside checker ask every node, and compare.
    pub(crate) fn check(&self) -> Verdict {
        checker::check(&self.asked())
    }

    /// Waits until the outside checker finds all nodes saying the same.
    pub(crate) fn agreed(&self) {
        checker::agreed(|| self.asked());
    }

    fn asked(&self) -> Vec<Asked> {
        let nodes = [&self.north, &self.south, &self.court];
        nodes.map(Container::asked).into()
    }
}

impl Container {
    /// Waits for a node, and makes tokens on it.
    fn meet(service: &'static str, container: String, project: &Project) -> Self {
        let mut node = Self {
            service,
            organisation: String::new(),
            container,
            network: format!("{}_cluster", project.name),
            root: project.home.path().join(format!("{service}.pem")),
            tokens: Default::default(),
        };
        node.organisation = text(&node.answers()["organisation"]);
        let root = docker(&["exec", &node.container, "cat", "keys/root.pem"]);
        fs::write(&node.root, root).unwrap();
        node.tokens = ["auditor", "administrator"].map(|role| {
            let name = format!("checking {role}");
            node.call(&["user", "add", &name, "--role", role]);
            text(&node.call(&["token", "add", &name])["token"])
        });
        node
    }

    /// Waits until the node answers, and gives how it stands.
    fn answers(&self) -> Value {
        until(&format!("{} answers", self.service), || {
            self.try_call(&["status"]).ok()
        })
    }

    /// Has the API do something as an administrator; panics where it does not.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let api = self.asked().api;
        let [_, token] = &self.tokens;
        let body = body.to_string();
        let answered = https::call(&self.root, api, Some(token), path, Some(&body));
        let (status, answer) = answered.unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    fn asked(&self) -> Asked {
        // Each start may have published another port.
        let api = docker(&["port", &self.container, "7402"]);
        Asked {
            name: self.service,
            root: self.root.clone(),
            api: api.lines().next().unwrap().parse().unwrap(),
            token: self.tokens[0].clone(),
        }
    }

    /// What the node has logged.
    pub(crate) fn log(&self) -> String {
        let logs = Command::new("docker")
            .args(["logs", &self.container])
            .output();
        String::from_utf8_lossy(&logs.unwrap().stderr).into_owned()
    }

    /// Kills the node with SIGKILL, wherever it is.
    pub(crate) fn kill(&self) {
        docker(&["kill", &self.container]);
    }

    /// Starts a node that was killed.
    pub(crate) fn start(&self) {
        docker(&["start", &self.container]);
        self.answers();
    }

    /// Takes the node off the cluster: its address goes, and its name with it.
    pub(crate) fn disconnect(&self) {
        docker(&["network", "disconnect", &self.network, &self.container]);
    }

    /// Puts the node on the cluster again.
    pub(crate) fn connect(&self) {
        self.connect_as(&[&format!("{}.cluster", self.service)]);
    }

    /// Puts the node on the cluster again, to be found under these names only.
    pub(crate) fn connect_as(&self, names: &[&str]) {
        let names = names.iter().flat_map(|name| ["--alias", name]);
        let mut connect = vec!["network", "connect"];
        connect.extend(names);
        connect.extend([self.network.as_str(), self.container.as_str()]);
        docker(&connect);
    }

    /// Has all connections that the node opens to another go through a proxy.
    pub(crate) fn through(&self, other: &Self, weather: Weather) {
        let gateway = "{{(index .IPAM.Config 0).Gateway}}";
        let here = docker(&["network", "inspect", "--format", gateway, &self.network]);
        let there = format!("{}:7400", other.address());
        let port = proxy::open(&here, there.parse().unwrap(), weather);
        self.iptables(&[
            "-t",
            "nat",
            "-A",
            "OUTPUT",
            "-p",
            "tcp",
            "-d",
            &other.address(),
            "--dport",
            "7400",
            "-j",
            "DNAT",
            "--to-destination",
            &format!("{here}:{port}"),
        ]);
    }

    /// Has one of fifty packets that are sent to the node not arrive.
    pub(crate) fn lossy(&self) {
        self.iptables(&[
            "-A",
            "INPUT",
            "!",
            "-i",
            "lo",
            "-m",
            "statistic",
            "--mode",
            "random",
            "--probability",
            "0.02",
            "-j",
            "DROP",
        ]);
    }

    /// Gives the node's volume, where it is memory, another size.
    pub(crate) fn space(&self, size: &str) {
        let size = format!("remount,size={size}");
        self.within("--mount", &["mount", "-o", &size, "/var/lib/interdocket"]);
    }

    /// Has nothing arrive any more that another node sends, while what is sent to it still does.
    pub(crate) fn deaf_to(&self, other: &Self) {
        self.iptables(&["-A", "INPUT", "-s", &other.address(), "-j", "DROP"]);
    }

    /// Has everything arrive again.
    pub(crate) fn hears(&self) {
        self.iptables(&["-F", "INPUT"]);
    }

    /// Has nobody in the cluster open a connection to the node.
    pub(crate) fn undialable(&self) {
        let address = self.address();
        self.iptables(&[
            "-A", "INPUT", "-d", &address, "-p", "tcp", "--syn", "-j", "DROP",
        ]);
    }

    /// The address in the cluster.
    fn address(&self) -> String {
        let shown = format!(
            "{{{{(index .NetworkSettings.Networks \"{}\").IPAddress}}}}",
            self.network
        );
        docker(&["inspect", "--format", &shown, &self.container])
    }

    fn iptables(&self, arguments: &[&str]) {
        self.inside(&[&["iptables", "--wait"], arguments].concat());
    }

    /// Has what the node sends in the cluster go out slowly, or as fast as it can again.
    pub(crate) fn slow(&self, slow: bool) {
        let shown = self.inside(&["ip", "-oneline", "address", "show", "to", &self.address()]);
        // 2: eth0    inet 172.18.0.2/16 […]
        let device = shown.split_whitespace().nth(1).unwrap();
        let limit = [
            "tbf", "rate", "64mbit", "burst", "256kb", "latency", "400ms",
        ];
        let command: &[&str] = if slow { &limit } else { &[] };
        let change = if slow { "add" } else { "delete" };
        self.inside(&[&["tc", "qdisc", change, "dev", device, "root"], command].concat());
    }

    /// Runs a program of this machine in the container's network.
    fn inside(&self, command: &[&str]) -> String {
        self.within("--net", command)
    }

    /// Runs a program in one of the container's namespaces.
    fn within(&self, namespace: &str, command: &[&str]) -> String {
        let process = docker(&["inspect", "--format", "{{.State.Pid}}", &self.container]);
        let mut nsenter = Command::new("nsenter");
        nsenter
            .args(["--target", &process, namespace])
            .args(command);
        run(&mut nsenter)
    }
}

impl Site for Container {
    fn name(&self) -> &str {
        self.service
    }

    fn id(&self) -> &str {
        &self.organisation
    }

    fn try_call(&self, arguments: &[&str]) -> Result<Value, Refused> {
        let mut exec = Command::new("docker");
        exec.args(["exec", &self.container, "interdocket", "--json"]);
        output(exec.args(arguments))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut logs = Command::new("docker");
            // Where it cannot be shown, the test fails all the same.
            let _ = logs
                .args(["logs", "--tail", "40", &self.container])
                .status();
        }
    }
}

impl Project {
    fn new(files: &'static [&'static str]) -> Self {
        let home = tempfile::Builder::new()
            .prefix("interdocket-compose-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let name = home.path().file_name().unwrap().to_str().unwrap();
        fs::write(home.path().join("court.clock"), "+0").unwrap();
        Self {
            name: name.to_lowercase(),
            home,
            files,
        }
    }

    fn command(&self) -> Command {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut compose = Command::new("docker-compose");
        compose
            .args(["--project-name", &self.name, "--file"])
            .arg(tree.join("deploy/compose.yml"))
            .arg("--file")
            .arg(tree.join("tests/compose/files.yml"))
            .args(self.files.iter().flat_map(|file| {
                let path = tree.join("tests/compose").join(file);
                ["--file".into(), path.into_os_string()]
            }))
            .env("FAKETIME", faketime().unwrap_or_default())
            .env("INTERDOCKET_IMAGE", IMAGE)
            .env("FILES", self.home.path());
        for port in ["NORTH_API", "SOUTH_API", "COURT_API"] {
            compose.env(port, "0");
        }
        compose
    }

    fn compose(&self, arguments: &[&str]) -> String {
        run(self.command().args(arguments))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let down = ["down", "--volumes", "--timeout", "0"];
        // Nothing more can be done about what stays.
        let _ = self.command().args(down).output();
    }
}

/// What makes programs see another time, where it is installed.
pub(crate) fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    libraries.into_iter().find(|library| library.exists())
}

/// Whether a program is installed; the story is skipped where it is not.
pub(crate) fn there(program: &str) -> bool {
    let there = installed(program);
    if !there {
        skip(&format!("{program} is not installed"));
    }
    there
}

/// Makes the image of the program under test, and gives its name.
pub(crate) fn image() -> &'static str {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut build = Command::new(tree.join("deploy/image/build"));
    build
        .args(["--tag", IMAGE, "--program"])
        .arg(program::path());
    run(&mut build);
    IMAGE
}

/// Runs docker, which has to succeed, and gives what it printed.
pub(crate) fn docker(arguments: &[&str]) -> String {
    run(Command::new("docker").args(arguments))
}

/// Runs a program that has to succeed, and gives what it printed.
fn run(command: &mut Command) -> String {
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?}: {said}");
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

const IMAGE: &str = "interdocket:test";

const PROGRAMS: [&str; 7] = [
    "docker",
    "docker-compose",
    "nsenter",
    "ip",
    "iptables",
    "tc",
    "curl",
];
