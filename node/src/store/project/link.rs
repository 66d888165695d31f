//! Download links, and what their packages have.

use interdocket_sync::id::{CaseId, EvidenceId};

use super::{Error, Step};
use crate::actions::Actor;
use crate::actions::link::LinkId;
use crate::event::{
    DownloadBegun, DownloadEnded, EvidenceErased, LinkFilled, LinkMade, LinkRevoked, Linked,
};
use crate::store::{entity, table};

impl Step<'_> {
    pub(super) fn link_made(&mut self, made: &LinkMade, by: Option<Actor>) {
        let link = entity::Link {
            case: made.case,
            number: made.number.clone(),
            hash: made.hash,
            made_by: by,
            made_at: self.meta.at,
            expires_at: made.expires_at,
            revoked_at: None,
            most: made.downloads,
            downloads: 0,
            attachments: made.attachments.clone(),
            files: made.files,
            bytes: made.bytes,
        };
        self.put(&table::LINK, &made.link, &link);
        self.put(&table::LINK_HASH, &made.hash, &made.link);
        self.put(&table::CASE_LINK, &(made.case, made.link), &());
    }

    pub(super) fn link_filled(&mut self, filled: &LinkFilled) -> Result<(), Error> {
        for (number, file) in &filled.files {
            let key = (filled.link, file.evidence, *number);
            self.put(&table::LINKED, &key, file);
            if let Linked::Made(made) = &file.what {
                self.used(made.blake3)?;
            }
        }
        Ok(())
    }

    pub(super) fn link_revoked(&mut self, revoked: &LinkRevoked) -> Result<(), Error> {
        let mut link = self.get(&table::LINK, &revoked.link)?;
        link.revoked_at = Some(self.meta.at);
        self.put(&table::LINK, &revoked.link, &link);
        Ok(())
    }

    pub(super) fn download_begun(&mut self, begun: &DownloadBegun) -> Result<(), Error> {
        let mut link = self.get(&table::LINK, &begun.link)?;
        link.downloads = link.downloads.saturating_add(1);
        self.put(&table::LINK, &begun.link, &link);
        let download = entity::Download {
            link: begun.link,
            case: begun.case,
        };
        self.put(&table::DOWNLOAD, &begun.download, &download);
        Ok(())
    }

    pub(super) fn download_ended(&mut self, ended: &DownloadEnded) {
        self.changes.delete(&table::DOWNLOAD, &ended.download);
    }

    /// Revokes every link: nobody can give back which of them were revoked since.
    pub(super) fn links_over(&mut self) -> Result<(), Error> {
        for (id, mut link) in self.view().page(&table::LINK, &(), None, usize::MAX)? {
            link.revoked_at = link.revoked_at.or(Some(self.meta.at));
            self.put(&table::LINK, &id, &link);
        }
        Ok(())
    }

    /// Takes erased evidence out of the packages of all links of the cases that it was in.
    pub(super) fn unlinked(&mut self, erased: &EvidenceErased) -> Result<(), Error> {
        for case in &erased.cases {
            for (row, ()) in self
                .view()
                .page(&table::CASE_LINK, case, None, usize::MAX)?
            {
                self.unpacked(row.1, erased.evidence)?;
                self.unlisted(row)?;
            }
        }
        Ok(())
    }

    fn unpacked(&mut self, link: LinkId, evidence: EvidenceId) -> Result<(), Error> {
        let key = (link, evidence);
        for (row, file) in self.view().page(&table::LINKED, &key, None, usize::MAX)? {
            self.changes.delete(&table::LINKED, &row);
            if let Linked::Made(made) = file.what {
                self.blob(made.blake3, |blob| blob.uses = blob.uses.saturating_sub(1))?;
            }
        }
        Ok(())
    }

    /// Forgets the links of an erased case. What their packages have of evidence that is in other cases is let go of
    /// with that.
    pub(super) fn links_erased(&mut self, case: CaseId) -> Result<(), Error> {
        let rows = self
            .view()
            .page(&table::CASE_LINK, &case, None, usize::MAX)?;
        for (row, ()) in rows {
            let link = self.get(&table::LINK, &row.1)?;
            self.changes.delete(&table::LINK_HASH, &link.hash);
            self.changes.delete(&table::LINK, &row.1);
            self.unlisted(row)?;
        }
        Ok(())
    }

    /// Forgets that a case has a link, once that is gone and its package is empty.
    fn unlisted(&mut self, row: (CaseId, LinkId)) -> Result<(), Error> {
        let link = &row.1;
        let left = self.view().page(&table::LINKED, link, None, 1)?;
        if left.is_empty() && !self.view().has(&table::LINK, link)? {
            self.changes.delete(&table::CASE_LINK, &row);
        }
        Ok(())
    }
}
