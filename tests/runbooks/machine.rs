//! A machine of an organisation: a fresh Debian in a container, where an administrator is root.
//!
//! Invariant: it is Debian and the files that are handed out, and nothing else but stand-ins for
//! systemd; machines and network go with the test, however it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use interdocket_tests::program;
use interdocket_tests::skip::{installed, skip};
use interdocket_tests::wait::within;

use crate::page::{blocks, fits};

/// Where one runbook is worked through.
pub(crate) struct Site {
    /// What administrators hand to each other, and what comes with a release: where all commands run.
    hand: tempfile::TempDir,
    network: String,
    machines: Vec<(&'static str, String)>,
}

impl Site {
    /// A site without machines; none where this machine cannot have them.
    pub(crate) fn new() -> Option<Self> {
        for program in ["docker", "faketime"] {
            if !installed(program) {
                skip(&format!("{program} is not installed"));
                return None;
            }
        }
        let hand = tempfile::Builder::new()
            .prefix("interdocket-runbook-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let network = hand.path().file_name().unwrap().to_str().unwrap();
        let site = Self {
            network: network.to_lowercase(),
            hand,
            machines: Vec::new(),
        };
        fs::copy(program::path(), site.hand.path().join("interdocket")).unwrap();
        for file in ["interdocket.service", "grafana.json"] {
            fs::copy(
                tree().join("deploy").join(file),
                site.hand.path().join(file),
            )
            .unwrap();
        }
        docker(&["network", "create", "--internal", &site.network]);
        Some(site)
    }

    /// Adds a machine with nothing on it.
    pub(crate) fn machine(&mut self, name: &'static str) {
        let hand = format!("{}:/srv/hand", self.hand.path().display());
        let faketime = faketime();
        let alias = format!("node.{name}.example");
        let stands = |file: &str| {
            let path = tree().join("tests/runbooks").join(file);
            format!("{}:/usr/local/sbin/{file}:ro", path.display())
        };
        let container = docker(&[
            "run",
            "--detach",
            "--init",
            "--network",
            &self.network,
            "--network-alias",
            &alias,
            "--volume",
            &hand,
            "--volume",
            &faketime,
            "--volume",
            &stands("systemctl"),
            "--volume",
            &stands("journalctl"),
            "--workdir",
            "/srv/hand",
            &base(),
            "sleep",
            "infinity",
        ]);
        self.machines.push((name, container));
    }

    /// Works through a runbook on `north`, or where its blocks say.
    pub(crate) fn follow(&self, runbook: &str) {
        self.work(runbook, "north", &|text| text.to_owned());
    }

    /// Works through the runbook of installing, for an organisation of this name.
    pub(crate) fn install(&self, machine: &str, organisation: &str) {
        let example = format!("node.{machine}.example");
        self.work("install.md", machine, &|text| {
            text.replace("North Police", organisation)
                .replace("node.north.example", &example)
        });
    }

    fn work(&self, runbook: &str, machine: &str, adapt: &dyn Fn(&str) -> String) {
        let path = tree().join("deploy/runbooks").join(runbook);
        let page = fs::read_to_string(&path).unwrap();
        let blocks = blocks(&page);
        assert!(!blocks.is_empty(), "{runbook} has commands");
        for block in blocks {
            if block.words == ["follow"] {
                self.work(&block.commands, machine, adapt);
                continue;
            }
            let has = |word: &str| block.words.iter().any(|found| found == word);
            let on = self.machines.iter().find(|(name, _)| has(name));
            let on = on.map_or(machine, |(name, _)| *name);
            let run = || self.run(on, &adapt(&block.commands));
            let shown = block.shown.as_deref().map(adapt);
            let place = format!("{runbook}, line {}, on {on}", block.line);
            let patience = if has("until") {
                PATIENCE
            } else {
                Duration::ZERO
            };
            let done = within(patience, || good(&run(), !has("fails"), shown.as_deref()));
            if let Err(said) = done {
                panic!("{place}:\n{}{said}", block.commands);
            }
        }
    }

    /// Runs commands as root of a machine.
    pub(crate) fn run(&self, machine: &str, commands: &str) -> Output {
        let mut exec = Command::new("docker");
        exec.args(["exec", self.container(machine), "bash", "-euo", "pipefail"]);
        exec.args(["-c", commands]).output().unwrap()
    }

    fn container(&self, machine: &str) -> &str {
        let found = self.machines.iter().find(|(name, _)| *name == machine);
        &found.expect("there is such a machine").1
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for (name, container) in &self.machines {
            if std::thread::panicking() {
                let log = self.run(name, "tail -n 30 /var/log/interdocket.log");
                eprintln!(
                    "---- log on {name}\n{}",
                    String::from_utf8_lossy(&log.stdout)
                );
            }
            // Nothing more can be done about what stays.
            let _ = Command::new("docker")
                .args(["rm", "--force", "--volumes", container])
                .output();
        }
        let _ = Command::new("docker")
            .args(["network", "rm", &self.network])
            .output();
    }
}

/// Whether commands succeeded or failed, and showed, as they should; else what they said.
fn good(ran: &Output, success: bool, shape: Option<&str>) -> Result<(), String> {
    let shown = String::from_utf8_lossy(&ran.stdout);
    let fits = shape.is_none_or(|shape| fits(shape, &shown));
    if ran.status.success() == success && fits {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    let wanted = shape.map_or(String::new(), |shape| format!("---- wanted\n{shape}"));
    Err(format!(
        "{}\n---- shown\n{shown}---- said\n{said}{wanted}",
        ran.status
    ))
}

/// Where faketime's library lies here, and where the machine has it.
fn faketime() -> String {
    let arch = std::env::consts::ARCH;
    format!("/usr/lib/{arch}-linux-gnu/faketime:/usr/lib/faketime:ro")
}

/// The base image, as the image of the node has it.
fn base() -> String {
    run(Command::new(tree().join("deploy/image/build")).arg("--only-base"))
}

fn docker(arguments: &[&str]) -> String {
    run(Command::new("docker").args(arguments))
}

fn run(command: &mut Command) -> String {
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?}: {said}");
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// As long as an administrator may have to repeat a command on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
