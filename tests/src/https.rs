//! The API over HTTPS, as programs of an organisation call it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Calls the API with curl, which trusts the organisation's root and nothing else; gives the status
/// and the answer.
///
/// # Errors
/// What curl says where nobody answers.
pub fn call(
    root: &Path,
    api: SocketAddr,
    token: Option<&str>,
    path: &str,
    body: Option<&str>,
) -> Result<(u16, Value), String> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60"])
        .args(["--write-out", "\n%{http_code}", "--cacert"])
        .arg(root)
        // By the name that every certificate has, wherever the port leads.
        .arg("--resolve")
        .arg(format!("localhost:{}:{}", api.port(), api.ip()));
    if let Some(token) = token {
        curl.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    if let Some(body) = body {
        curl.args(["--header", "Content-Type: application/json", "--data", body]);
    }
    let ran = curl
        .arg(format!("https://localhost:{}{path}", api.port()))
        .output()
        .expect("curl can be started");
    if !ran.status.success() {
        return Err(String::from_utf8_lossy(&ran.stderr).into_owned());
    }
    let answer = String::from_utf8(ran.stdout).expect("answers are text");
    let (json, status) = answer.rsplit_once('\n').expect("the status comes last");
    Ok((
        status.parse().expect("a status is a number"),
        serde_json::from_str(json).unwrap_or_default(),
    ))
}
