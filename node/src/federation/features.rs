//! What nodes tell each other of their features when they greet: those that a share needs on both sides.
//!
//! Invariant: what a partner says is recorded only where it changes, and counts towards what it may have kept here.

use interdocket_proto::v1;
use interdocket_sync::identity::OrganisationId;

use crate::actions::{Error, Way, feature};
use crate::features::{Feature, Features};
use crate::node::Node;

/// Features that partners learn of, and their names on the wire.
const TOLD: [(Feature, v1::Feature); 3] = [
    (Feature::CaseShare, v1::Feature::CaseShare),
    (
        Feature::CaseSharingByReference,
        v1::Feature::CaseSharingByReference,
    ),
    (Feature::AdvancedSharing, v1::Feature::AdvancedSharing),
];

/// What a partner is told.
pub(crate) fn told(on: &Features) -> Vec<i32> {
    let told = TOLD.iter().filter(|(feature, _)| on.contains(feature));
    told.map(|(_, wire)| i32::from(*wire)).collect()
}

/// What a partner says that is known here; what a newer release has beside is left out.
pub(crate) fn said(features: &[i32]) -> Features {
    let said = |wire: &v1::Feature| features.contains(&i32::from(*wire));
    let said = TOLD.iter().filter(|(_, wire)| said(wire));
    said.map(|(feature, _)| *feature).collect()
}

/// Takes in what a partner says. Where it had more kept here than it may, it is asked again at the next greeting.
pub(crate) async fn hear(
    node: &Node,
    partner: OrganisationId,
    features: &[i32],
) -> Result<(), Error> {
    let said = said(features);
    let known = said.clone();
    let news = node.read(move |view| feature::news(view, partner, &known));
    let allowances = &node.parts().moment.allowances;
    let now = node.parts().clock.elapsed();
    if !news.await? || !allowances.open(partner, now) {
        return Ok(());
    }
    let heard = node.decide(None, Way::Partner, move |context| {
        feature::heard(context, partner, said)
    });
    heard.await?;
    allowances.charge(partner, now, 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partner_learns_what_shares_need_and_of_what_it_says_only_that_counts() {
        let all: Features = Feature::ALL.iter().copied().collect();
        let shared: Features = TOLD.iter().map(|(feature, _)| *feature).collect();
        assert_eq!(told(&all), [1, 2, 3]);
        assert_eq!(said(&told(&all)), shared);
        assert_eq!(said(&[0, 77, 3, 3, -1]), [Feature::AdvancedSharing].into());
        assert_eq!(said(&[]), Features::new());
    }
}
