//! A recipient who lets somebody else of their organisation use what is shared with it.

use std::rc::Rc;

use interdocket_sync::id::ShareId;
use interdocket_sync::share::decide::Command;

use super::serve::kim;
use super::site::Process;
use super::world::{SECOND, World};
use crate::actions::decide::{self, Decided, Effect};
use crate::actions::{Way, exchange};
use crate::store::project::ShareFacts;

/// Adds somebody who is no recipient.
pub(super) async fn share(world: &Rc<World>, me: &Rc<Process>, share: ShareId) {
    // Where nobody is told, it may have happened all the same.
    world.standing.borrow_mut().add(share, "eve");
    let decided = me.decide(world, Some(kim()), Way::Socket, move |context| {
        let header = decide::share(&context.view, share)?.header;
        let node = context.node()?;
        let actor = exchange::actor(context)?;
        let facts = ShareFacts::new(context.view, share);
        let command = Command::ShareOnward(actor, vec!["eve".into()]);
        let entries = exchange::entries(context, &header, &facts, command)?;
        let written = exchange::written(context, &header, &node, entries);
        let nudge = Effect::Nudge(header.owner);
        Ok(Decided::new(written.into_iter().collect(), |_| Ok(())).then(nudge))
    });
    let told = decided.await;
    let name = world.sites[me.site].name;
    world.note(format_args!("{name} shares {share} onward: {told:?}"));
    // Who was added looks at it, once their owner may know of them.
    let wait = world.between(SECOND, 20 * SECOND);
    world.sleep(wait).await;
    super::read::of(world, me, share, "eve").await;
}
