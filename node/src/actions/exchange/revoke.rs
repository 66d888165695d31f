//! Revocations: taking them, proving that they were taken, and erasing what they cover.

use interdocket_sync::blob::Digest;
use interdocket_sync::id::ShareId;
use interdocket_sync::receipt::Countersignature;
use interdocket_sync::share::decide::Command;
use interdocket_sync::share::revocation::SignedRevocation;
use interdocket_sync::share::{Header, Hold, Totals};

use super::{entries, written};
use crate::actions::Error;
use crate::actions::decide::{self, Context, Decided, Effect};
use crate::event::{Bytes, Event, RevocationCountersigned, RevocationReceived, SealedErased};
use crate::store::project::ShareFacts;
use crate::store::table;
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// Takes a partner's revocation whose signature holds, whatever is held of the share, and countersigns
/// it.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn receive(
    context: &mut Context<'_>,
    revocation: &SignedRevocation,
) -> Result<Decided<Countersignature>, Error> {
    let said = &revocation.revocation;
    let countersignature = Countersignature::revocation(revocation, context.now, context.signer);
    let key = (said.owner, said.share);
    let known = context.view.has(&table::REVOKED, &key)?;
    #[cfg(test)]
    let known = known && !planted(Bug::RevokedTwice);
    if known {
        return Ok(Decided::new(Vec::new(), |_| Ok(countersignature)));
    }
    let received = RevocationReceived {
        share: said.share,
        owner: said.owner,
        revocation: Bytes(revocation.bytes.clone()),
        countersignature: Bytes(countersignature.bytes.clone()),
    };
    let owner = said.owner;
    Ok(
        Decided::new(vec![Event::RevocationReceived(received)], |_| {
            Ok(countersignature)
        })
        .then(Effect::Recheck)
        .then(Effect::Nudge(owner)),
    )
}

/// Takes the partner's countersignature of this node's revocation.
///
/// # Errors
/// [`Error`] where the share is gone.
pub fn countersigned(
    context: &mut Context<'_>,
    share: ShareId,
    countersignature: &Countersignature,
) -> Result<Decided<()>, Error> {
    let known = decide::share(&context.view, share)?.revocation;
    if known.is_none_or(|revocation| revocation.countersigned.is_some()) {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let event = RevocationCountersigned {
        share,
        countersignature: Bytes(countersignature.bytes.clone()),
    };
    Ok(Decided::new(
        vec![Event::RevocationCountersigned(event)],
        |_| Ok(()),
    ))
}

/// Records that sealed files of a share were erased.
pub fn erased(share: ShareId, files: Vec<Digest>) -> Decided<()> {
    let again = Vec::new();
    let erased = SealedErased {
        share,
        files,
        again,
    };
    Decided::new(vec![Event::SealedErased(erased)], |_| Ok(()))
}

/// States that nothing of a revoked share is here any more but what was imported.
///
/// # Errors
/// [`Error`] where the share is gone or the tables fail.
pub fn purge(context: &mut Context<'_>, id: ShareId) -> Result<Decided<()>, Error> {
    let share = decide::share(&context.view, id)?;
    // It was stated before, or can't be any more; what came back with this node's past is erased again.
    if share.header.purged != 0 || share.header.hold == Hold::Closed {
        return Ok(erased(id, Vec::new()));
    }
    // What was granted meanwhile is this node's own first.
    if context
        .view
        .has(&table::IMPORT, &(share.header.owner, id))?
    {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let node = context.node()?;
    let facts = ShareFacts::new(context.view, id);
    let erased = erased_of(&share.header);
    // A frozen log takes nothing: the countersigned revocation has to do.
    let Ok(entries) = entries(context, &share.header, &facts, Command::Purge(erased)) else {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    };
    facts.done()?;
    let events = written(context, &share.header, &node, entries);
    Ok(Decided::new(events.into_iter().collect(), |_| Ok(()))
        .then(Effect::Nudge(share.header.owner)))
}

/// What of a share was here, as far as it was this node's only by the share.
const fn erased_of(header: &Header) -> Totals {
    header.stored
}
