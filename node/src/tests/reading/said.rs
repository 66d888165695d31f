//! What readers at a partner are told of evidence beside its title.

use crate::actions::metadata::Kind;
use crate::actions::share::Mode;
use crate::actions::{evidence, metadata};
use crate::tests::reading::{follow, followed, policy, shared, show, three};

/// Warned of at the one, filed under a category, and mounted somewhere.
fn said(evidence: interdocket_sync::id::EvidenceId) -> (evidence::Edit, evidence::Tag) {
    let fields = [
        ("sensitive_content", "yes"),
        ("device_serial", "X81"),
        ("fleet2_mount", "dashboard"),
    ];
    let fields = fields.map(|(name, text)| (name.to_owned(), Some(text.to_owned())));
    let edit = evidence::Edit {
        evidence,
        title: None,
        folder: None,
        case: None,
        fields: fields.into(),
    };
    let tag = evidence::Tag {
        evidence,
        kind: Kind::Category,
        add: vec!["Homicide".into()],
        remove: Vec::new(),
    };
    (edit, tag)
}

/// AE-092, AE-115: by reference and by an advanced share as in a copy, before any byte of it is read.
#[tokio::test]
async fn readers_are_warned_of_sensitive_content_and_told_what_a_copy_would_have() {
    for advanced in [false, true] {
        let (north, south, _) = three().await;
        policy(&north, Mode::Live, true, false).await;
        let (share, item) = match advanced {
            true => followed(&north, &south, b"one").await,
            false => shared(&north, &south, b"one").await,
        };
        let (edit, tag) = said(item);
        north.change(edit).await.unwrap();
        north.change(tag).await.unwrap();
        follow(&north, &south, share).await;
        let shown = show(&south, "Kim", share).await.unwrap();
        let told = &shown.items[0].metadata;
        let names: Vec<&str> = told.fields.keys().map(String::as_str).collect();
        assert_eq!(names, ["device_serial", "sensitive_content"], "{advanced}");
        assert_eq!(told.fields["device_serial"].organisation, Some(north.id()));
        let tag = metadata::Labelled {
            text: "Homicide".into(),
            from: Some("categories".into()),
        };
        assert_eq!(told.tags, [tag]);
        assert!(told.categories.is_empty());
    }
}
