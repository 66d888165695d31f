//! Reading a file of evidence.

use std::path::PathBuf;

use clap::Args;
use interdocket_sync::id::EvidenceId;

use crate::actions::{self, ErrorKind, evidence};
use crate::cli::Context;
use crate::cli::error::Error;
use crate::cli::evidence::warn;
use crate::cli::save::{Part, save};

/// Reads a file of evidence.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  interdocket evidence get 0197a3e4-5b6c-7d8e-9f00-112233445566 --output statement.pdf")]
pub(in crate::cli) struct Get {
    /// The evidence's id.
    evidence: EvidenceId,
    /// Which of its files, from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    file: u32,
    /// Where to: a file, a folder, or `-` for standard output; here, under its own name where left
    /// out.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Read video that was received as it came, without its watermark.
    #[arg(long)]
    original: bool,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
}

impl Get {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let request = evidence::Show {
            evidence: self.evidence,
            confidential: false,
        };
        let item = context.client.call(&request).await?;
        let Some(file) = item.files.get(self.file as usize) else {
            let message = format!("there is no file {}; files count from 0", self.file);
            return Err(actions::Error::new(ErrorKind::NotFound, message).into());
        };
        warn(context, &item.metadata);
        let rendition = match self.original {
            true => None,
            false => item.rendition(self.file),
        };
        if let Some(rendition) = rendition {
            context.out.note(&rendition.notice);
        }
        let given = rendition.and_then(|rendition| rendition.made.as_ref());
        let given = given.unwrap_or(file);
        let part = Part {
            name: &given.name,
            size: given.size,
            blake3: Some(given.blake3),
        };
        let target = format!(
            "/v0/evidence/{}/files/{}?original={}",
            self.evidence, self.file, self.original
        );
        save(context, &part, &target, self.output, self.force).await
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use interdocket_sync::blob::{Digest, Sha256};

    use super::*;
    use crate::cli::fake::{self, Answer, context, serve};
    use crate::cli::save::destination;

    /// fault D1
    #[test]
    fn names_of_evidence_cannot_leave_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "../../etc/passwd",
            "/etc/passwd",
            "..",
            "",
            "a/../../b",
            "-rf",
        ] {
            let path = destination(Some(folder.path()), name);
            assert_eq!(path.parent(), Some(folder.path()), "{name}");
            assert_eq!(destination(None, name).components().count(), 1, "{name}");
        }
        let chosen = folder.path().join("report.pdf");
        assert_eq!(destination(Some(&chosen), "../x"), chosen);
    }

    #[tokio::test]
    async fn file_is_written_whole_and_replaces_nothing_untold() {
        let data = tempfile::tempdir().unwrap();
        serve(data.path(), |request| answer(request, b"hello"));
        let output = data.path().join("out.txt");
        let get = |force| Get {
            evidence: EvidenceId::new(uuid::Uuid::nil()),
            file: 0,
            original: false,
            output: Some(output.clone()),
            force,
        };
        let context = context(data.path());
        get(false).run(&context).await.unwrap();
        assert_eq!(fs::read(&output).unwrap(), b"hello");

        fs::write(&output, "mine").unwrap();
        let refused = get(false).run(&context).await.unwrap_err();
        assert_eq!(refused.code(), 6);
        assert_eq!(fs::read(&output).unwrap(), b"mine");
        get(true).run(&context).await.unwrap();
        assert_eq!(fs::read(&output).unwrap(), b"hello");
    }

    #[tokio::test]
    async fn bytes_that_are_not_the_file_leave_nothing_behind() {
        let data = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        serve(data.path(), |request| answer(request, b"hullo"));
        let get = Get {
            evidence: EvidenceId::new(uuid::Uuid::nil()),
            file: 0,
            original: false,
            output: Some(folder.path().to_owned()),
            force: false,
        };
        let error = get.run(&context(data.path())).await.unwrap_err();
        assert_eq!(error.code(), 7);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// Answers for an item whose file is `hello` with these bytes.
    fn answer(request: &str, bytes: &[u8]) -> Answer {
        if request.contains("/files/0?") {
            return ("200 OK", bytes.to_vec());
        }
        let file = evidence::File {
            name: "../a.txt".into(),
            size: 5,
            blake3: Digest(*blake3::hash(b"hello").as_bytes()),
            sha256: Sha256([0; 32]),
            state: evidence::FileState::Verified,
            kind: evidence::FileKind::Original,
            format: String::new(),
        };
        ("200 OK", fake::item(vec![file]))
    }
}
