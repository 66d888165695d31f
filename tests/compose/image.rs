//! The image by itself: a node is made in a volume and run, by a user without rights.

use interdocket_tests::wait::LONG;
use interdocket_tests::wait::within;

use crate::cluster::{docker, image, there};

/// A volume and the containers on it, which go with the test.
struct Volume(String);

impl Volume {
    /// Runs docker with the volume in its place.
    fn run(&self, options: &[&str], command: &[&str]) -> String {
        let mount = format!("{}:/var/lib/interdocket", self.0);
        let run = ["run", "--volume", &mount, "--network", "none"];
        docker(&[&run[..], options, &[image()], command].concat())
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let clean = |arguments: &[&str]| {
            // Nothing more can be done about what stays.
            let _ = std::process::Command::new("docker")
                .args(arguments)
                .output();
        };
        clean(&["rm", "--force", &self.0]);
        clean(&["volume", "rm", "--force", &self.0]);
    }
}

#[test]
fn image_makes_and_runs_a_node_in_a_volume_and_holds_no_secret_itself() {
    if !there("docker") {
        return;
    }
    let image = image();
    let empty = ["--entrypoint", "find", image, "/var/lib/interdocket"];
    let held = docker(&[&["run", "--rm"][..], &empty].concat());
    assert_eq!(held, "/var/lib/interdocket", "nothing is made before init");

    let volume = Volume(format!("interdocket-image-{}", std::process::id()));
    let made = volume.run(&["--rm"], &["init", "--name", "North Police"]);
    assert!(made.starts_with("Made a node"), "{made}");
    // Looked at more often than in service.
    let strict = [
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--health-interval",
        "1s",
    ];
    let detached = [
        "--detach",
        "--name",
        &volume.0,
        "--read-only",
        "--tmpfs",
        "/tmp",
    ];
    volume.run(&[&detached[..], &strict].concat(), &[]);
    let health = || {
        let format = "{{.State.Health.Status}}";
        let health = docker(&["inspect", "--format", format, &volume.0]);
        (health == "healthy").then_some(()).ok_or(health)
    };
    within(LONG, health).unwrap();
    assert_ne!(docker(&["exec", &volume.0, "id", "-u"]), "0");
    // It stops in order, at the signal that docker sends.
    docker(&["stop", &volume.0]);
    let code = docker(&["inspect", "--format", "{{.State.ExitCode}}", &volume.0]);
    assert_eq!(code, "0");
}
