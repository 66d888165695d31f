//! Every decision is one record (S17): the journal only grows, nothing in it is said twice, and what people and
//! partners were told is in it. Time in it goes on (S22).

use super::super::ledger::Once;
use super::{Broken, Seen, State};

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    let mut ledgers = seen.world.ledgers.borrow_mut();
    let sound = |state: &&State<'_>| !seen.oracle.odd(state.site.id);
    for state in seen.states.iter().filter(sound) {
        let (ledger, name) = (&mut ledgers[state.site.number], state.site.name);
        ledger.follow(&state.process);
        if let Some(broken) = ledger.broken() {
            return Err(format!("{name}: {broken}"));
        }
        let number = state.site.number;
        let items = seen.oracle.items.iter();
        let items = items.filter(|item| item.site == number);
        let added = items.filter_map(|item| Some(Once::Added(item.id?)));
        let deals = seen.oracle.deals.iter();
        let deals = deals.filter(|deal| deal.owner == number);
        let shares = deals.filter_map(|deal| Some((deal.share?, deal.revoked)));
        let said = shares.flat_map(|(share, revoked)| {
            let over = revoked.then_some(Once::Revoked(share));
            [Some(Once::Made(share)), over].into_iter().flatten()
        });
        let taken = seen.oracle.revocations.iter();
        let taken = taken.filter(|(site, ..)| *site == number);
        let taken = taken.map(|(_, owner, share)| Once::Received(*owner, *share));
        if let Some(missing) = added
            .chain(said)
            .chain(taken)
            .find(|once| ledger.lacks(&state.process, once))
        {
            return Err(format!("{name} has no record of {missing:?}"));
        }
    }
    Ok(())
}
