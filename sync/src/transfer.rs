//! What a receiver reads next: wanted items become requests of a bounded size.
//!
//! How bytes are verified while they arrive is a matter of their digest and needs no agreement beyond
//! the group size; who may read is judged at the owner.

use std::collections::BTreeSet;

use crate::blob::Digest;
use crate::evidence::File;
use crate::id::EvidenceId;
use crate::limits;

/// An item that is wanted, with its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Its id at the owner.
    pub evidence: EvidenceId,
    /// Its files.
    pub files: Vec<File>,
}

/// One request: the items that are whole when it is answered, and what has to be read for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The items.
    pub evidence: Vec<EvidenceId>,
    /// What to read: each digest once, without what is held already.
    pub files: Vec<File>,
}

/// Splits wishes into requests. `held` says which bytes this owner delivered before.
///
/// A request has at most [`limits::READ_FILES_MAX`] files and, unless one item alone has more,
/// `bytes_max` bytes.
pub fn plan(wishes: Vec<Wish>, held: &dyn Fn(Digest) -> bool, bytes_max: u64) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut open = Request::default();
    let mut seen = BTreeSet::new();
    let mut bytes: u64 = 0;
    for wish in wishes {
        let fresh = |file: &&File| !seen.contains(&file.blake3) && !held(file.blake3);
        let mut files: Vec<File> = wish.files.iter().filter(fresh).cloned().collect();
        files.sort_by_key(|file| file.blake3);
        files.dedup_by_key(|file| file.blake3);
        let size: u64 = files.iter().map(|file| file.size).sum();
        let full = open.files.len() + files.len() > limits::READ_FILES_MAX
            || bytes.saturating_add(size) > bytes_max;
        if full && !open.evidence.is_empty() {
            requests.push(std::mem::take(&mut open));
            bytes = 0;
        }
        bytes = bytes.saturating_add(size);
        seen.extend(files.iter().map(|file| file.blake3));
        open.files.extend(files);
        open.evidence.push(wish.evidence);
    }
    if !open.evidence.is_empty() {
        requests.push(open);
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Sha256;
    use crate::evidence::FileKind;
    use uuid::Uuid;

    fn wish(id: u128, files: &[(u8, u64)]) -> Wish {
        let file = |&(digest, size): &(u8, u64)| File {
            name: "f".into(),
            size,
            blake3: Digest([digest; 32]),
            sha256: Sha256([0; 32]),
            kind: FileKind::Original,
            format: String::new(),
        };
        Wish {
            evidence: EvidenceId::new(Uuid::from_u128(id)),
            files: files.iter().map(file).collect(),
        }
    }

    fn digests(requests: &[Request]) -> Vec<Vec<u8>> {
        let of = |request: &Request| request.files.iter().map(|file| file.blake3.0[0]).collect();
        requests.iter().map(of).collect()
    }

    #[test]
    fn bytes_are_asked_for_once() {
        let wishes = vec![wish(1, &[(1, 10), (1, 10)]), wish(2, &[(1, 10), (2, 10)])];
        let requests = plan(wishes, &|_| false, 100);
        assert_eq!(digests(&requests), [[1, 2]]);
        assert_eq!(requests[0].evidence.len(), 2);
    }

    #[test]
    fn what_the_owner_delivered_before_is_not_asked_for() {
        let requests = plan(
            vec![wish(1, &[(1, 10), (2, 10)])],
            &|held| held.0[0] == 1,
            100,
        );
        assert_eq!(digests(&requests), [[2]]);
        let requests = plan(vec![wish(1, &[(1, 10)])], &|_| true, 100);
        assert_eq!(digests(&requests), [[0_u8; 0]]);
        assert_eq!(requests[0].evidence.len(), 1);
    }

    #[test]
    fn requests_are_bounded_but_no_item_is_too_large() {
        let wishes = vec![
            wish(1, &[(1, 60)]),
            wish(2, &[(2, 60)]),
            wish(3, &[(3, 600)]),
        ];
        assert_eq!(digests(&plan(wishes, &|_| false, 100)), [[1], [2], [3]]);
        let many = (0..2500).map(|id| wish(id, &[(0, 0)])).collect();
        assert!(plan(many, &|_| false, 100).len() == 1);
    }
}
