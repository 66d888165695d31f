//! Whom the federation port lets in, as openssl finds out.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use interdocket_sync::identity::OrganisationId;
use interdocket_tests::Node;
use interdocket_tests::skip::{installed, skip};

use crate::field::Field;
use crate::frame::PREFACE;

/// What openssl presents.
#[derive(Debug, Clone, Copy)]
enum Card {
    /// Nothing.
    None,
    /// A certificate and its key, by their file.
    Of(&'static str),
}

/// A handshake that is tried.
struct Knock {
    name: &'static str,
    card: Card,
    arguments: &'static [&'static str],
    welcome: bool,
}

const fn refused(name: &'static str, card: Card, arguments: &'static [&'static str]) -> Knock {
    Knock {
        name,
        card,
        arguments,
        welcome: false,
    }
}

const OWN: Card = Card::Of("own");
const H2: &[&str] = &["-tls1_3", "-alpn", "h2"];

const KNOCKS: [Knock; 14] = [
    Knock {
        name: "a partner",
        card: OWN,
        arguments: H2,
        welcome: true,
    },
    refused("TLS 1.2", OWN, &["-tls1_2", "-alpn", "h2"]),
    refused(
        "TLS 1.1",
        OWN,
        &["-tls1_1", "-cipher", "ALL@SECLEVEL=0", "-alpn", "h2"],
    ),
    refused("no protocol", OWN, &["-tls1_3"]),
    refused("HTTP/1.1", OWN, &["-tls1_3", "-alpn", "http/1.1"]),
    refused(
        "an older protocol",
        OWN,
        &["-tls1_3", "-alpn", "interdocket-reverse/0"],
    ),
    refused("no certificate", Card::None, H2),
    refused(
        "its own root for a partner's name",
        Card::Of("stranger"),
        H2,
    ),
    refused(
        "another partner's root for this name",
        Card::Of("other"),
        H2,
    ),
    refused("another partner's name", Card::Of("borrowed"), H2),
    refused("the operational key", Card::Of("operational"), H2),
    refused("the key for logs", Card::Of("signing"), H2),
    refused("an expired one", Card::Of("expired"), H2),
    refused("one for servers only", Card::Of("server"), H2),
];

/// fault B9, fault B12
#[test]
fn port_lets_in_partners_by_their_own_root_and_newest_protocol_only() {
    let Some(field) = field() else { return };
    let cards = Cards::make(&field);
    for knock in &KNOCKS {
        let welcome = cards.knock(&field.north, knock.card, knock.arguments);
        assert_eq!(welcome, knock.welcome, "{}", knock.name);
    }
}

/// fault B5: no ticket is given, so that openssl has nothing to resume, and trust that ends counts at once.
#[test]
fn port_gives_nothing_to_resume_and_suspension_counts_at_the_next_handshake() {
    let Some(field) = field() else { return };
    let cards = Cards::make(&field);
    let session = cards.home.join("session");
    let text = session.to_str().unwrap();
    let keep = [H2, &["-sess_out", text]].concat();
    for _ in 0..2 {
        assert!(cards.knock(&field.north, OWN, &keep));
        assert!(!session.exists(), "a session can be resumed");
    }
    field.north.call(&["partner", "suspend", &field.south.id]);
    assert!(!cards.knock(&field.north, OWN, H2));
    field.north.call(&["partner", "resume", &field.south.id]);
    assert!(cards.knock(&field.north, OWN, H2));
}

fn field() -> Option<Field> {
    for program in ["openssl", "faketime"] {
        if !installed(program) {
            skip(&format!("{program} is not installed"));
            return None;
        }
    }
    Some(Field::new())
}

/// What openssl presents, in files.
struct Cards {
    home: PathBuf,
}

impl Cards {
    fn make(field: &Field) -> Self {
        let home = field.world.path("cards");
        fs::create_dir_all(&home).unwrap();
        let cards = Self { home };
        let (south, harbour) = (&field.south, &field.harbour);
        let own = south.data.join("keys/operational.pem");
        let other = harbour.data.join("keys/operational.pem");
        for (name, issuer, named, usage, begins) in [
            ("own", Some(&own), south, BOTH, "now"),
            ("stranger", None, south, BOTH, "now"),
            ("other", Some(&other), south, BOTH, "now"),
            ("borrowed", Some(&own), harbour, BOTH, "now"),
            ("expired", Some(&own), south, BOTH, "10 days ago"),
            ("server", Some(&own), south, "serverAuth", "now"),
        ] {
            cards.issue(name, issuer, named, usage, begins);
        }
        for name in ["operational", "signing"] {
            let file = format!("{name}.pem");
            fs::copy(south.data.join("keys").join(&file), cards.home.join(file)).unwrap();
            fs::copy(&own, cards.home.join(format!("{name}.chain"))).unwrap();
        }
        cards
    }

    /// Issues a certificate for a day, under an operational key or by itself.
    fn issue(&self, name: &str, issuer: Option<&PathBuf>, named: &Node, usage: &str, begins: &str) {
        let path = |ending: &str| self.home.join(format!("{name}.{ending}"));
        let organisation: OrganisationId = named.id.parse().unwrap();
        let extensions = format!(
            "subjectAltName=URI:{}\nextendedKeyUsage={usage}\nkeyUsage=digitalSignature\n",
            organisation.uri()
        );
        fs::write(path("extensions"), extensions).unwrap();
        openssl(
            &["genpkey", "-algorithm", "ed25519", "-out"],
            &[&path("key")],
            "now",
        );
        let [key, request] = [path("key"), path("request")];
        let ask = ["req", "-new", "-subj", "/CN=node"];
        openssl(
            &ask,
            &["-key".as_ref(), &key, "-out".as_ref(), &request],
            "now",
        );
        let sign = ["x509", "-req", "-days", "1", "-set_serial", "77"];
        let [extensions, certificate] = [path("extensions"), path("certificate")];
        let mut paths: Vec<&Path> =
            vec!["-in".as_ref(), &request, "-extfile".as_ref(), &extensions];
        match issuer {
            Some(issuer) => {
                paths.extend(["-CA".as_ref(), issuer.as_path(), "-CAkey".as_ref(), issuer])
            }
            None => paths.extend(["-signkey".as_ref(), key.as_path()]),
        }
        paths.extend(["-out".as_ref(), certificate.as_path()]);
        openssl(&sign, &paths, begins);
        let both = fs::read_to_string(&key).unwrap() + &fs::read_to_string(&certificate).unwrap();
        fs::write(path("pem"), both).unwrap();
        let above = issuer.unwrap_or(&certificate);
        fs::copy(above, path("chain")).unwrap();
    }

    /// Whether the node says anything to openssl: only then it has let it in.
    fn knock(&self, node: &Node, card: Card, arguments: &[&str]) -> bool {
        let mut client = Command::new("openssl");
        client
            .args(["s_client", "-quiet", "-noservername", "-connect"])
            .arg(node.federation.to_string())
            .args(arguments);
        if let Card::Of(name) = card {
            let [pem, chain] = ["pem", "chain"].map(|end| self.home.join(format!("{name}.{end}")));
            client.arg("-cert").arg(&pem).arg("-key").arg(&pem);
            client.arg("-cert_chain").arg(&chain);
        }
        let pipes = [Stdio::piped(), Stdio::piped(), Stdio::null()];
        let [input, output, errors] = pipes;
        let mut process = client
            .stdin(input)
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut input = process.stdin.take().unwrap();
        // Whoever is refused may be gone before it has said anything.
        let _ = input.write_all(PREFACE);
        let mut output = process.stdout.take().unwrap();
        let (tell, told) = mpsc::sync_channel(1);
        std::thread::spawn(move || tell.send(output.read(&mut [0; 9]).unwrap_or(0)));
        let heard = told.recv_timeout(PATIENCE);
        // What has ended cannot be killed.
        let _ = process.kill();
        process.wait().unwrap();
        heard.expect("the node says something or closes") > 0
    }
}

fn openssl(words: &[&str], paths: &[&Path], begins: &str) {
    let mut command = Command::new("faketime");
    command.args([begins, "openssl"]).args(words).args(paths);
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?}: {said}");
}

const BOTH: &str = "serverAuth,clientAuth";
/// How long the node may take to say something, or to close.
const PATIENCE: Duration = Duration::from_secs(20);
