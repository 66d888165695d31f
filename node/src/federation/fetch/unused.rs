//! Bytes that were made durable for nothing.

use super::failed;
use crate::actions::Error;
use crate::blobs::{Place, Placed};
use crate::node::Node;
use crate::store::table;

/// Deletes what was made durable for nothing: somebody else brought the same bytes first, or the share
/// was cancelled meanwhile. A file of its own stays: others may be about to record the same one.
pub(in super::super) fn unused(node: &Node, placed: &[Placed]) -> Result<(), Error> {
    let mut unused = Vec::new();
    {
        let reading = node.parts().store.read();
        for blob in placed {
            let known = reading.view().get(&table::BLOB, &blob.digest)?;
            let used = known.is_some_and(|known| known.place == blob.place);
            if !used && blob.place != Place::Own {
                unused.push(*blob);
            }
        }
    }
    let deleted = node.parts().blobs.delete(&unused);
    deleted.map_err(|error| failed(&error))
}
