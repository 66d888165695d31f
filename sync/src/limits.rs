//! Bounds that both nodes hold each other to. Each has a unit, a reason and somebody who notices.

/// Bytes of an entry's body. A batch of them fits a message, and a record of the journal; longer
/// texts are blobs. The writer notices: it splits or refuses.
pub const ENTRY_BODY_MAX: usize = 48 * 1024;

/// Bytes of an entry's header: room for fields that a newer format adds. The reader refuses.
pub const ENTRY_HEADER_MAX: usize = 512;

/// Bytes of a signed head, of terms or of a countersignature, each with its certificates: three or four
/// of about 2 KiB. The reader refuses.
pub const SIGNED_MAX: usize = 16 * 1024;

/// Items in one entry: what one step of the reader's database takes. The writer notices.
pub const ENTRY_ITEMS_MAX: usize = 256;

/// Entries under one head, so that a batch stays under [`MESSAGE_MAX`]. The writer notices.
pub const BATCH_ENTRIES_MAX: usize = 16;

/// Bytes of any message that is not a piece of a file. A sender of more is cut off by the decoder.
pub const MESSAGE_MAX: usize = 1024 * 1024;

/// Bytes of a file's name, as the usual file systems have it. Who adds evidence notices.
pub const NAME_MAX: usize = 255;

/// Bytes of a title: one line. Who writes it notices.
pub const TITLE_MAX: usize = 512;

/// Bytes of a folder with all its parents. Who adds evidence notices.
pub const FOLDER_MAX: usize = 1024;

/// Bytes of a case's number. Who makes a case notices.
pub const NUMBER_MAX: usize = 128;

/// Bytes of a description: with all else of a case it stays under one value of the database.
pub const DESCRIPTION_MAX: usize = 2048;

/// Bytes of all fields of an item's metadata: one value of the database. Who writes them notices.
pub const FIELDS_BYTES_MAX: usize = 3200;

/// Bytes of a tag: one line that is read at a glance. Who sets it notices.
pub const TAG_MAX: usize = 256;

/// Tags of one item of evidence: an item fits an entry. Who sets one notices.
pub const EVIDENCE_TAGS_MAX: usize = 128;
/// Bytes of the tags of one item, so that it fits an entry. Who sets one notices.
pub const EVIDENCE_TAGS_BYTES_MAX: usize = 8 * 1024;

/// Tags of one case: a case fits an entry together with its targets. Who sets one notices.
pub const CASE_TAGS_MAX: usize = 32;
/// Bytes of the tags of one case, so that it fits an entry. Who sets one notices.
pub const CASE_TAGS_BYTES_MAX: usize = 2048;

/// Bytes of what kind of file a file is: media types stay below it. Who adds evidence notices.
pub const FORMAT_MAX: usize = 96;

/// Targets of one case, so that all of them fit one entry. Who adds one notices.
pub const TARGETS_MAX: usize = 64;

/// Bytes of a target's name. Who adds one notices.
pub const TARGET_NAME_MAX: usize = 128;

/// Bytes of what is known of a target. Who adds one notices.
pub const TARGET_DESCRIPTION_MAX: usize = 448;

/// Bytes of a message to recipients. Who shares notices.
pub const MESSAGE_TEXT_MAX: usize = 1024;

/// Recipients of one share: together with the message under one value of the database.
pub const RECIPIENTS_MAX: usize = 16;

/// Bytes of a recipient's name or address. Who shares notices.
pub const RECIPIENT_MAX: usize = 96;

/// Bytes of an actor's name. Who adds a user notices.
pub const ACTOR_NAME_MAX: usize = 128;

/// Bytes of the number on a badge. Who adds a user notices.
pub const BADGE_MAX: usize = 32;

/// Bytes of who added an item of evidence: a name with the number on a badge.
pub const ADDED_BY_MAX: usize = ACTOR_NAME_MAX + BADGE_MAX + 3;

/// Files of one item of evidence, so that an item fits an entry. Who adds evidence notices.
pub const ITEM_FILES_MAX: usize = 64;

/// Files in one call to read, so that a request stays under [`MESSAGE_MAX`]. The reader notices.
pub const READ_FILES_MAX: usize = 1024;

/// Bytes of file data in one message of a transfer: large enough to hide the cost of a message, small
/// enough to bound memory and the time until a revocation is seen.
pub const PIECES_MAX: usize = 256 * 1024;

/// Leases in one call: a hundred thousand shares are renewed in some hundred calls. The asking node notices.
pub const RENEWALS_MAX: usize = 256;

/// Shares listed in one call. The asking node notices: it goes on behind the last.
pub const LISTED_SHARES_MAX: usize = 1000;

/// Calls that read, open at once per partner. A partner that opens more waits.
pub const READS_MAX: usize = 8;

/// Items in one page of a read session: as many as one entry lists.
pub const LIST_ITEMS_MAX: usize = ENTRY_ITEMS_MAX;

/// Bytes of the items in one page of a read session, but for the last: with all else it stays under
/// [`MESSAGE_MAX`]. The owner notices.
pub const LIST_BYTES_MAX: usize = 512 * 1024;

/// Read sessions that a partner's people have open at once: each is a few hundred bytes of the owner's
/// memory and a person who looks. A partner that opens more is refused.
pub const SESSIONS_MAX: usize = 32;

const _: () = assert!(
    (ENTRY_HEADER_MAX + ENTRY_BODY_MAX + 64) * BATCH_ENTRIES_MAX + 2 * SIGNED_MAX + 64
        < MESSAGE_MAX
);
const _: () = assert!(
    (TARGET_NAME_MAX + TARGET_DESCRIPTION_MAX + 32) * TARGETS_MAX
        + DESCRIPTION_MAX
        + TITLE_MAX
        + NUMBER_MAX
        + CASE_TAGS_BYTES_MAX
        + 12 * CASE_TAGS_MAX
        + MESSAGE_TEXT_MAX
        + (RECIPIENT_MAX + 4) * RECIPIENTS_MAX
        + ACTOR_NAME_MAX
        + BADGE_MAX
        + 256
        < ENTRY_BODY_MAX
);
const _: () = assert!(DESCRIPTION_MAX + TITLE_MAX + NUMBER_MAX < 4096 - 512);
const _: () = assert!(MESSAGE_TEXT_MAX + RECIPIENTS_MAX * RECIPIENT_MAX < 4096 - 1024);
