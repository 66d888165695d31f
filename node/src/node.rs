//! The node as a whole.

use crate::actions::{Caller, Error};

/// A running node.
#[derive(Clone)]
pub struct Node {}

impl Node {
    /// Who holds this token; an error that says nothing more where nobody does.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn authenticate(&self, _token: &str) -> Result<Caller, Error> {
        Err(Error::new(crate::actions::ErrorKind::Forbidden, "stub"))
    }

    /// The administrator who owns the local socket.
    pub fn owner(&self) -> Caller {
        unimplemented!()
    }

    /// Opens a file of evidence for reading, once recorded.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open_evidence(
        &self,
        _caller: &Caller,
        _request: crate::actions::evidence::Get,
    ) -> Result<Opened, Error> {
        unimplemented!()
    }

    /// Takes in a file of evidence whose bytes arrive as the body of a request.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn upload_evidence(
        &self,
        _caller: &Caller,
        _request: crate::actions::evidence::Upload,
        _body: tokio::sync::mpsc::Receiver<std::io::Result<bytes::Bytes>>,
    ) -> Result<crate::actions::evidence::Evidence, Error> {
        unimplemented!()
    }
}

/// A file of evidence that is open for reading: its bytes arrive verified.
pub struct Opened {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The bytes, in order; an error ends them.
    pub bytes: tokio::sync::mpsc::Receiver<std::io::Result<bytes::Bytes>>,
}
