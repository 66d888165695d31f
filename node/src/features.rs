//! Features of the organisation: what it takes part in at all, whoever asks. A second layer beside permissions.
//! Pure; all are off until the administrator enables them.
//!
//! Partners tell each other those that a share needs on both sides (`federation::features`).

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::partner::Kind;

/// Those that are on.
pub type Features = BTreeSet<Feature>;

/// Every feature: its name in the API, what people call it, and what it lets the organisation do.
macro_rules! features {
    ($($feature:ident, $text:literal, $title:literal, $meaning:literal;)*) => {
        /// One thing that an organisation may take part in.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum Feature {
            $(#[doc = $meaning] #[serde(rename = $text)] $feature,)*
        }

        impl Feature {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$feature,)*];

            /// Its name in the API.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$feature => $text,)*
                }
            }

            /// What people call it.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$feature => $title,)*
                }
            }

            /// What it lets the organisation do.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$feature => $meaning,)*
                }
            }
        }
    };
}

features! {
    CaseShare, "case_share", "Case Share", "Share cases with partners and take theirs, whichever way";
    CaseSharingByReference, "case_sharing_by_reference", "Case Sharing by Reference", "Share cases by reference and take such shares";
    NewUiCaseSharesManagement, "new_ui_case_shares_management", "New UI for Case Shares Management", "List share sets, to manage shares that were made together";
    AdvancedSharing, "advanced_sharing", "Advanced Sharing", "Share cases as they go on and take such shares";
    ConfigurableCaseRetention, "configurable_case_retention", "Configurable Case Retention Policies", "Say how long the evidence of cases is kept";
}

/// Every feature.
pub fn all() -> Features {
    Feature::ALL.iter().copied().collect()
}

/// What a new share of a kind needs, at both organisations.
pub const fn needed(kind: Kind) -> &'static [Feature] {
    match kind {
        Kind::Copy => &[Feature::CaseShare],
        Kind::Reference => &[Feature::CaseShare, Feature::CaseSharingByReference],
        Kind::Advanced => &[Feature::CaseShare, Feature::AdvancedSharing],
    }
}

/// The first feature that an organisation with these lacks for a new share of a kind.
pub fn lacking(on: &Features, kind: Kind) -> Option<Feature> {
    let mut needed = needed(kind).iter().copied();
    needed.find(|feature| !on.contains(feature))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AE-011, AE-012, AE-013, AE-015, AE-016, AO-01
    #[test]
    fn every_kind_of_share_needs_case_share_and_those_that_live_one_more() {
        use Feature::{AdvancedSharing, CaseShare, CaseSharingByReference};
        let rows = [
            (&[][..], [Some(CaseShare); 3]),
            (
                &[CaseShare],
                [None, Some(CaseSharingByReference), Some(AdvancedSharing)],
            ),
            (
                &[CaseShare, CaseSharingByReference],
                [None, None, Some(AdvancedSharing)],
            ),
            (
                &[CaseShare, AdvancedSharing],
                [None, Some(CaseSharingByReference), None],
            ),
            (
                &[CaseSharingByReference, AdvancedSharing],
                [Some(CaseShare); 3],
            ),
            (Feature::ALL, [None; 3]),
        ];
        for (on, lacks) in rows {
            let on: Features = on.iter().copied().collect();
            let kinds = [Kind::Copy, Kind::Reference, Kind::Advanced];
            assert_eq!(kinds.map(|kind| lacking(&on, kind)), lacks, "{on:?}");
        }
    }

    #[test]
    fn every_feature_is_written_as_it_is_called() {
        for feature in Feature::ALL {
            let written = serde_json::to_value(feature).unwrap();
            assert_eq!(written, feature.name());
        }
    }
}
