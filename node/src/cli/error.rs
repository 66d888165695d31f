//! How a command fails: one exit code for each kind of error.

use std::io;

use crate::actions::{self, ErrorKind};

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The node refused, could not, or does not run.
    #[error(transparent)]
    Action(#[from] actions::Error),
    /// This side of the socket failed.
    #[error("{what}")]
    Local {
        /// What happened, to what.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something was done, but not everything, or something is not in order.
    #[error("{0}")]
    Incomplete(String),
    /// Whoever read the output has gone.
    #[error("the output was closed")]
    Closed,
    /// By the person at the terminal.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    pub(super) fn local(what: impl Into<String>, source: io::Error) -> Self {
        Self::Local {
            what: what.into(),
            source,
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Action(actions::Error::new(ErrorKind::Invalid, message))
    }

    /// The exit code; the help of the program lists them.
    pub(super) const fn code(&self) -> u8 {
        match self {
            Self::Action(error) => match error.kind {
                ErrorKind::Invalid => 3,
                ErrorKind::Forbidden => 4,
                ErrorKind::NotFound => 5,
                ErrorKind::Conflict => 6,
                ErrorKind::Unavailable => 7,
            },
            Self::Local { .. } | Self::Incomplete(_) => 1,
            Self::Closed => 0,
            Self::Interrupted => 130,
        }
    }
}
