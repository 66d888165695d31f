//! Where the people of one organisation work: a node, whether it is a process or a container.

use serde_json::Value;

use crate::node::Refused;

/// A node, and its command line.
pub trait Site {
    /// What the story calls it.
    fn name(&self) -> &str;

    /// The organisation's id.
    fn id(&self) -> &str;

    /// Runs a command.
    ///
    /// # Errors
    /// [`Refused`] where it fails.
    fn try_call(&self, arguments: &[&str]) -> Result<Value, Refused>;

    /// Runs a command; panics where it fails.
    fn call(&self, arguments: &[&str]) -> Value {
        self.try_call(arguments)
            .unwrap_or_else(|refused| panic!("{}: {arguments:?}: {refused:#?}", self.name()))
    }

    /// Runs a command that is to fail; panics where it does not.
    fn refused(&self, arguments: &[&str]) -> Refused {
        match self.try_call(arguments) {
            Err(refused) => refused,
            Ok(reply) => panic!("{}: {arguments:?} is refused, not {reply}", self.name()),
        }
    }
}

impl<S: Site> Site for &S {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn id(&self) -> &str {
        (**self).id()
    }

    fn try_call(&self, arguments: &[&str]) -> Result<Value, Refused> {
        (**self).try_call(arguments)
    }
}
