//! What other organisations are called here: nobody knows them by their ids.

use std::collections::BTreeMap;

use interdocket_sync::identity::OrganisationId;

use super::Context;
use crate::actions::partner;

/// The names of partners, where any is needed.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<OrganisationId, String>);

impl Names {
    /// Asks the node, where something came from another organisation. Whoever may not know is shown ids.
    pub(super) async fn known(context: &Context, received: bool) -> Self {
        if !received || context.out.is_json() {
            return Self::default();
        }
        let listed = context.client.call(&partner::List {}).await;
        let partners = listed.map(|listed| listed.partners).unwrap_or_default();
        let names = partners.into_iter().map(|held| (held.id, held.name));
        Self(names.collect())
    }

    /// The name of an organisation; its id where it is no partner here.
    pub(super) fn of(&self, organisation: &OrganisationId) -> String {
        let name = self.0.get(organisation).cloned();
        name.unwrap_or_else(|| organisation.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_are_called_by_name_and_others_by_id() {
        let known = OrganisationId::from_bytes([1; 32]);
        let other = OrganisationId::from_bytes([2; 32]);
        let names = Names([(known, "North Police".to_owned())].into());
        assert_eq!(names.of(&known), "North Police");
        assert_eq!(names.of(&other), other.to_string());
    }
}
