//! Texts that people and partners hand over, and requests for files that a partner's lists lead to.

use core::net::Ipv4Addr;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fmt::Display;
use std::str::FromStr;

use super::harness::Input;
use crate::blob::{Digest, MAX_SIZE, Sha256};
use crate::evidence::{File, FileKind};
use crate::id::{CaseId, ShareId};
use crate::identity::OrganisationId;
use crate::limits;
use crate::pairing::{Address, Invitation};
use crate::testing::evidence;
use crate::transfer::{Request, Wish, plan as planned};

/// Whatever names something.
pub(super) fn text(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    named::<Digest>(text, true);
    named::<Sha256>(text, true);
    named::<OrganisationId>(text, true);
    named::<CaseId>(text, false);
    named::<ShareId>(text, false);
    if let Ok(id) = OrganisationId::from_uri(text) {
        assert_eq!(id.uri(), text);
    }
    if let Ok(address) = text.parse::<Address>() {
        same_everywhere(&address);
    }
    if let Ok(invitation) = text.parse::<Invitation>() {
        assert_eq!(invitation.text().parse(), Ok(invitation));
    }
}

/// What is read is shown as what reads the same; `once` where it has no other spelling.
fn named<T: FromStr + Display + PartialEq + Debug>(text: &str, once: bool) {
    let Ok(name) = text.parse::<T>() else {
        return;
    };
    let shown = name.to_string();
    assert!(!once || shown == text);
    assert_eq!(shown.parse::<T>().ok(), Some(name));
}

/// Every program dials the same host: what any of them takes for a number is one in its plain form.
fn same_everywhere(address: &Address) {
    assert_eq!(address.to_string().parse().as_ref(), Ok(address));
    assert_ne!(address.port(), 0);
    let host = address.host();
    if host.contains(':') {
        assert!(host.parse::<core::net::Ipv6Addr>().is_ok());
        return;
    }
    let fit = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    assert!(host.bytes().all(fit) && host.len() <= 253 && !host.starts_with('-'));
    // As inet_aton reads it: parts in octal, decimal or hexadecimal digits.
    let number = |part: &str| match part.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => part.bytes().all(|byte| byte.is_ascii_digit()),
    };
    if host.split('.').all(number) {
        let plain = host.parse::<Ipv4Addr>().map(|address| address.to_string());
        assert_eq!(plain.as_deref(), Ok(host));
    }
}

/// Items that a partner listed, of which some bytes are here.
pub(super) fn plan(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let most = input.number() % (MAX_SIZE * 2);
    let mut wishes = Vec::new();
    while !input.is_empty() && wishes.len() < 64 {
        let files = (0..input.below(limits::ITEM_FILES_MAX + 1)).map(|_| file(input.byte()));
        wishes.push(Wish {
            evidence: evidence(wishes.len() as u128),
            files: files.collect(),
        });
    }
    let held = |digest: Digest| digest.0[0] % 5 == 4;
    let requests = planned(wishes.clone(), &held, most);
    let asked = requests.iter().flat_map(|request| &request.evidence);
    assert!(asked.eq(wishes.iter().map(|wish| &wish.evidence)));
    let wanted = wishes.iter().flat_map(|wish| &wish.files);
    let wanted: BTreeSet<Digest> = wanted
        .map(|file| file.blake3)
        .filter(|digest| !held(*digest))
        .collect();
    let read = requests.iter().flat_map(|request| &request.files);
    let read: Vec<Digest> = read.map(|file| file.blake3).collect();
    assert_eq!(read.iter().copied().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(read.len(), wanted.len());
    assert!(requests.iter().all(|request| bounded(request, most)));
}

fn bounded(request: &Request, most: u64) -> bool {
    let size: u64 = request.files.iter().map(|file| file.size).sum();
    request.files.len() <= limits::READ_FILES_MAX && (size <= most || request.evidence.len() == 1)
}

/// One digest has one size, up to the largest.
fn file(number: u8) -> File {
    File {
        name: "f".into(),
        size: MAX_SIZE >> (number % 47),
        blake3: Digest([number; 32]),
        sha256: Sha256([0; 32]),
        kind: FileKind::Original,
        format: String::new(),
    }
}
