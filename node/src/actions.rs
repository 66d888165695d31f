//! The one door: everything that a person, a program, a partner or a timer can have the node do.
//!
//! An action is a request with a name, a place in the API and a reply. What it decides is pure: from
//! the request, what is stored, the time and randomness come records, a reply and effects. Bytes on
//! the wire, pages and arguments are not here.

pub mod audit;
pub mod case;
pub mod decide;
pub mod disclosure;
pub mod evidence;
pub mod exchange;
pub mod external;
pub mod feature;
pub mod group;
pub mod link;
pub mod metadata;
pub mod node;
pub mod partner;
pub mod people;
pub mod portal;
pub mod reach;
pub mod retention;
pub mod role;
mod run;
pub mod session;
pub mod settings;
pub mod share;
pub mod signin;
pub mod target;
pub mod token;
pub mod user;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use interdocket_sync::id::{EvidenceId, ShareId};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::decide::{Context, Decided};
use crate::access::Permissions;
use crate::node::Node;
use crate::store::view::View;

/// One thing that the node can be asked to do.
pub trait Action: Serialize + DeserializeOwned + JsonSchema + Send + 'static {
    /// Its name: noun and verb, as in `case.create`. Permissions and metrics use it.
    const NAME: &'static str;
    /// Where it stands in the API.
    const ROUTE: Route;
    /// What it does, in one sentence for a person.
    const SUMMARY: &'static str;
    /// What it answers.
    type Reply: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// What it is about: only whoever reaches that may have it done.
    fn about(&self) -> About;
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Nothing that only some people of this organisation reach.
    Nothing,
    /// A case, by id or number.
    Case(String),
    /// An item of evidence.
    Evidence(EvidenceId),
    /// A share.
    Share(ShareId),
    /// What was disclosed to guests.
    Disclosure(disclosure::DisclosureId),
    /// A download link.
    Link(link::LinkId),
}

/// An action that a node can run.
pub trait Run: Action {
    /// Decides, makes durable what was decided, and answers.
    ///
    /// # Errors
    /// [`Error`] where the caller may not, the request does not hold, or the node cannot.
    fn run(
        self,
        node: &Node,
        caller: &Caller,
    ) -> impl Future<Output = Result<Self::Reply, Error>> + Send;
}

/// An action that changes something: pure, from the request and what is stored to events and an answer.
pub trait Change: Action {
    /// Decides.
    ///
    /// # Errors
    /// [`Error`] where it cannot be; nothing is recorded then.
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Self::Reply>, Error>;
}

/// An action that only reads the tables.
pub trait Query: Action {
    /// Answers a caller, as things are at this time.
    ///
    /// # Errors
    /// [`Error`] where there is no such thing.
    fn answer(
        &self,
        view: &View<'_>,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Self::Reply, Error>;
}

/// A method and a path whose `{names}` are fields of the request; the other fields of a request stand
/// in the query (`Get`) or in a JSON body (`Post`).
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// How the request comes.
    pub method: Method,
    /// The path, from `/v0`.
    pub path: &'static str,
}

/// How a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads; changes nothing.
    Get,
    /// Changes something.
    Post,
}

impl Route {
    /// A place that answers.
    pub const fn get(path: &'static str) -> Self {
        Self {
            method: Method::Get,
            path,
        }
    }

    /// A place that changes something.
    pub const fn post(path: &'static str) -> Self {
        Self {
            method: Method::Post,
            path,
        }
    }
}

/// Who asks, and by which way.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user, as of now.
    pub actor: Actor,
    /// What the user may do, as of now.
    pub permissions: Permissions,
    /// The way in.
    pub way: Way,
    /// The session, where they signed in.
    pub session: Option<uuid::Uuid>,
    /// Told how far a long action is.
    pub progress: Progress,
}

/// Told how far a long action is: bytes or items done, and how many there are in all.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(u64, u64) + Send + Sync>>);

impl Progress {
    /// Tells `told` of every step.
    pub fn new(told: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    /// Says that `done` of `total` are done.
    pub fn report(&self, done: u64, total: u64) {
        if let Some(told) = &self.0 {
            told(done, total);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// A person or program of this organisation, with the values of the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
pub struct Actor {
    /// Stays the same for as long as the user exists.
    pub id: uuid::Uuid,
    /// The name at that moment.
    pub name: String,
    /// The number on the badge at that moment; empty where there is none.
    pub badge: String,
}

/// The way in by which a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The local socket: the operating-system user that owns the node, its administrator.
    Socket,
    /// The API over HTTPS, by token.
    Token,
    /// The API over HTTPS, by somebody who signed in.
    Session,
    /// A download link: nobody knows who holds it.
    Link,
    /// A partner's call.
    Partner,
    /// The node itself, by timer.
    Timer,
}

/// Why an action was not done, for the person who asked.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema, thiserror::Error,
)]
#[error("{message}")]
pub struct Error {
    /// Which kind of thing went wrong: what a program decides by.
    pub kind: ErrorKind,
    /// What happened, to what.
    pub message: String,
    /// What to do next; empty where there is nothing to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// The kinds of errors: one HTTP status and one exit code each.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request does not make sense as it is.
    Invalid,
    /// The caller may not do that.
    Forbidden,
    /// There is no such thing, or the caller may not know of it.
    NotFound,
    /// It does not fit the present state.
    Conflict,
    /// The node cannot now: full, stopping, damaged, or a partner cannot be reached.
    Unavailable,
}

impl Error {
    /// An error of a kind with its message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// What an action is about: nothing that only some people reach, or a field of the request.
macro_rules! about {
    (nothing) => {
        fn about(&self) -> About {
            About::Nothing
        }
    };
    (case) => {
        fn about(&self) -> About {
            About::Case(self.case.clone())
        }
    };
    (case_if_named) => {
        fn about(&self) -> About {
            self.case.clone().map_or(About::Nothing, About::Case)
        }
    };
    (evidence) => {
        fn about(&self) -> About {
            About::Evidence(self.evidence)
        }
    };
    (disclosure) => {
        fn about(&self) -> About {
            About::Disclosure(self.disclosure)
        }
    };
    (link) => {
        fn about(&self) -> About {
            About::Link(self.link)
        }
    };
    (share) => {
        fn about(&self) -> About {
            About::Share(self.share)
        }
    };
}

/// Every action: its type, name, place, reply, summary, and what it is about.
macro_rules! actions {
    ($($type:ty, $name:literal, $method:ident $path:literal, $reply:ty, $summary:literal, $about:ident;)*) => {$(
        impl Action for $type {
            const NAME: &'static str = $name;
            const ROUTE: Route = Route::$method($path);
            const SUMMARY: &'static str = $summary;
            type Reply = $reply;

            about!($about);
        }
    )*

        /// Shows every action to a visitor: so the API's routes and its description come from here.
        pub fn visit(visitor: &mut impl Visitor) {
            $(visitor.action::<$type>();)*
        }
    };
}

/// Is shown every action.
pub trait Visitor {
    /// One action.
    fn action<A: Run>(&mut self);
}

actions! {
    node::Status, "node.status", get "/v0/node", node::Node, "Show how the node stands", nothing;
    node::ConfirmClock, "node.confirm-clock", post "/v0/node/clock", node::Confirmed, "Confirm that the machine's clock is right", nothing;
    node::Check, "node.check", post "/v0/node/check", node::Checked, "Check all that is stored", nothing;
    settings::Show, "settings.show", get "/v0/settings", settings::Settings, "Show the organisation's settings", nothing;
    settings::Set, "settings.set", post "/v0/settings", settings::Settings, "Set the organisation's settings", nothing;
    feature::List, "feature.list", get "/v0/features", feature::Listed, "List features of the organisation, on or off", nothing;
    feature::Enable, "feature.enable", post "/v0/features/enable", feature::Listed, "Enable features of the organisation", nothing;
    feature::Disable, "feature.disable", post "/v0/features/disable", feature::Listed, "Disable features of the organisation", nothing;
    retention::List, "retention.list", get "/v0/retention", retention::Listed, "List the retention policies", nothing;
    retention::Add, "retention.add", post "/v0/retention", retention::Listed, "Add a retention policy", nothing;
    retention::Edit, "retention.edit", post "/v0/retention/{policy}/edit", retention::Listed, "Change a retention policy", nothing;
    retention::Remove, "retention.remove", post "/v0/retention/{policy}/remove", retention::Listed, "Remove a retention policy", nothing;
    retention::SetDefault, "retention.default", post "/v0/retention/default", retention::Listed, "Set the retention policy of cases to come", nothing;
    retention::Due, "retention.due", get "/v0/retention/due", retention::Page, "List what is about to be deleted", nothing;
    retention::Retain, "case.retain", post "/v0/cases/{case}/retention", case::Case, "Set the retention policy of a case", case;
    retention::HoldCase, "case.hold", post "/v0/cases/{case}/hold", case::Case, "Put a case on legal hold", case;
    retention::ReleaseCase, "case.release", post "/v0/cases/{case}/release", case::Case, "Release a case from legal hold", case;
    retention::DeleteCase, "case.delete", post "/v0/cases/{case}/delete", case::Case, "Queue a case for deletion", case;
    retention::KeepCase, "case.keep", post "/v0/cases/{case}/keep", case::Case, "Take a case back from deletion", case;
    retention::HoldEvidence, "evidence.hold", post "/v0/evidence/{evidence}/hold", evidence::Evidence, "Put evidence on legal hold", evidence;
    retention::ReleaseEvidence, "evidence.release", post "/v0/evidence/{evidence}/release", evidence::Evidence, "Release evidence from legal hold", evidence;
    retention::DeleteEvidence, "evidence.delete", post "/v0/evidence/{evidence}/delete", evidence::Evidence, "Queue evidence for deletion", evidence;
    retention::KeepEvidence, "evidence.keep", post "/v0/evidence/{evidence}/keep", evidence::Evidence, "Take evidence back from deletion", evidence;
    user::Add, "user.add", post "/v0/users", user::User, "Add a user", nothing;
    user::Edit, "user.edit", post "/v0/users/{user}/edit", user::User, "Change what is said of a user", nothing;
    user::List, "user.list", get "/v0/users", user::Users, "List users, or find them by name or e-mail address", nothing;
    user::Disable, "user.disable", post "/v0/users/{user}/disable", user::User, "Disable a user: they do nothing from now on", nothing;
    user::Enable, "user.enable", post "/v0/users/{user}/enable", user::User, "Enable a user again", nothing;
    token::Add, "token.add", post "/v0/users/{user}/tokens", token::Issued, "Make a token for a user", nothing;
    token::List, "token.list", get "/v0/users/{user}/tokens", token::Page, "List the tokens of a user", nothing;
    token::Revoke, "token.revoke", post "/v0/tokens/{token}/revoke", token::Token, "Revoke a token", nothing;
    signin::Enrol, "user.enrol", post "/v0/users/{user}/enrol", signin::Enrolment, "Make a code with which a user sets a password and an authenticator", nothing;
    signin::Unlock, "user.unlock", post "/v0/users/{user}/unlock", user::User, "Unlock a user after too many wrong tries", nothing;
    signin::Begin, "enrolment.begin", post "/v0/enrolment", signin::Authenticator, "Choose a password, and set up an authenticator", nothing;
    signin::Confirm, "enrolment.confirm", post "/v0/enrolment/confirm", signin::Recovery, "Show that the authenticator works, and be signed in", nothing;
    signin::SetPassword, "password.set", post "/v0/password", signin::Done, "Set another password for oneself", nothing;
    signin::SignOut, "session.end", post "/v0/sign-out", signin::Done, "Sign out", nothing;
    role::Add, "role.add", post "/v0/roles", role::Role, "Add a role", nothing;
    role::Edit, "role.edit", post "/v0/roles/{role}/edit", role::Role, "Change what a role holds", nothing;
    role::List, "role.list", get "/v0/roles", role::Roles, "List roles with what they hold", nothing;
    role::Remove, "role.remove", post "/v0/roles/{role}/remove", role::Role, "Remove a role that nobody has", nothing;
    group::Add, "group.add", post "/v0/groups", group::Group, "Add a group of users", nothing;
    group::List, "group.list", get "/v0/groups", group::Groups, "List groups", nothing;
    group::Show, "group.show", get "/v0/groups/{group}", group::Shown, "Show who is in a group", nothing;
    group::Edit, "group.edit", post "/v0/groups/{group}/edit", group::Shown, "Change who is in a group", nothing;
    partner::Invite, "partner.invite", post "/v0/invitations", partner::Invitation, "Make an invitation to pair", nothing;
    partner::Accept, "partner.accept", post "/v0/partners", partner::Partner, "Accept a partner's invitation", nothing;
    partner::Confirm, "partner.confirm", post "/v0/partners/{partner}/confirm", partner::Partner, "Confirm that the words are the same", nothing;
    partner::List, "partner.list", get "/v0/partners", partner::Partners, "List partners", nothing;
    partner::Show, "partner.show", get "/v0/partners/{partner}", partner::Partner, "Show a partner", nothing;
    partner::Enable, "partner.enable", post "/v0/partners/{partner}/enable", partner::Partner, "Enable kinds of shares with a partner", nothing;
    partner::Suspend, "partner.suspend", post "/v0/partners/{partner}/suspend", partner::Partner, "Cut a partner off, refusing every call", nothing;
    partner::Resume, "partner.resume", post "/v0/partners/{partner}/resume", partner::Partner, "Resume a suspended partner", nothing;
    partner::Remove, "partner.remove", post "/v0/partners/{partner}/remove", partner::Partner, "Stop trusting a partner", nothing;
    partner::Doctor, "partner.doctor", get "/v0/partners/{partner}/doctor", partner::Findings, "Explain what is wrong with a partner", nothing;
    case::Create, "case.create", post "/v0/cases", case::Case, "Make a case", nothing;
    case::List, "case.list", get "/v0/cases", case::Page, "List cases", nothing;
    case::Show, "case.show", get "/v0/cases/{case}", case::Case, "Show a case", case;
    case::Edit, "case.edit", post "/v0/cases/{case}/edit", case::Case, "Change a case", case;
    case::Close, "case.close", post "/v0/cases/{case}/close", case::Case, "Close a case", case;
    case::Reopen, "case.reopen", post "/v0/cases/{case}/reopen", case::Case, "Open a closed case again", case;
    case::Assign, "case.assign", post "/v0/cases/{case}/assignees", case::Case, "Set who a case is assigned to", case;
    case::Assignable, "case.assignable", get "/v0/cases/{case}/assignable", case::People, "Find whom a case can be assigned to", case;
    case::Access, "case.access", post "/v0/cases/{case}/access", case::Case, "Set who of this organisation works on a case", case;
    target::Add, "target.add", post "/v0/cases/{case}/targets", target::Targets, "Add a target to a case", case;
    target::List, "target.list", get "/v0/cases/{case}/targets", target::Targets, "List the targets of a case", case;
    target::Edit, "target.edit", post "/v0/cases/{case}/targets/{target}", target::Targets, "Change what is said of a target", case;
    target::Remove, "target.remove", post "/v0/cases/{case}/targets/{target}/remove", target::Targets, "Take a target out of a case", case;
    evidence::Include, "case.include", post "/v0/cases/{case}/include", case::Case, "Put evidence of other cases into a case as well", case;
    evidence::Exclude, "case.exclude", post "/v0/cases/{case}/exclude", case::Case, "Take evidence out of a case that is in another one as well", case;
    evidence::Add, "evidence.add", post "/v0/cases/{case}/evidence", evidence::Evidence, "Add a file to a case as evidence", case;
    evidence::List, "evidence.list", get "/v0/cases/{case}/evidence", evidence::Page, "List the evidence of a case", case;
    metadata::List, "metadata.list", get "/v0/metadata", metadata::Pieces, "List every piece of metadata, and what a copy has of it", nothing;
    evidence::Show, "evidence.show", get "/v0/evidence/{evidence}", evidence::Evidence, "Show an item of evidence", evidence;
    share::Copy, "share.copy", post "/v0/cases/{case}/copies", share::Made, "Share a copy of a case with partners", case;
    share::List, "share.list", get "/v0/shares", share::Page, "List shares", case_if_named;
    share::Sets, "share.sets", get "/v0/sets", share::SetPage, "List share sets: shares that were made together", nothing;
    share::Show, "share.show", get "/v0/shares/{share}", share::Share, "Show a share with its receipts", share;
    share::Add, "share.add", post "/v0/shares/{share}/evidence", share::Share, "Update a copy with new evidence", share;
    share::Reshare, "share.reshare", post "/v0/shares/{share}/reshare", share::Share, "Reshare a copy with more people, and new evidence", share;
    share::Updates, "share.updates", get "/v0/shares/{share}/updates", share::UpdatePage, "List what the updates of a copy brought", share;
    share::Recall, "share.recall", post "/v0/shares/{share}/recall", share::Share, "Ask the partner to destroy a copy", share;
    share::Answer, "share.answer", post "/v0/shares/{share}/answer", share::Share, "Answer whether a copy will be destroyed", share;
    share::Retry, "share.retry", post "/v0/shares/{share}/retry", share::Share, "Try again to deliver a share", share;
    share::Finalise, "share.finalise", post "/v0/shares/{share}/finalise", share::Share, "Take what a partner offers", share;
    share::Decline, "share.decline", post "/v0/shares/{share}/decline", share::Share, "Decline what a partner offers", share;
    share::End, "share.end", post "/v0/shares/{share}/end", share::Share, "End a copy: no updates any more", share;
    share::Cancel, "share.cancel", post "/v0/shares/{share}/cancel", share::Share, "Cancel a copy that is under way", share;
    share::Reference, "share.reference", post "/v0/shares/reference", share::Made, "Open a case to people at partners for a number of days", case;
    share::Advanced, "share.advanced", post "/v0/shares/advanced", share::Made, "Share a case with partners as it goes on", case;
    share::Withdraw, "share.withdraw", post "/v0/shares/{share}/withdraw", share::Share, "Take selected evidence out of a share", share;
    share::Recipients, "share.recipients", post "/v0/shares/{share}/recipients", share::Share, "Set who may use a share", share;
    share::ChooseTargets, "share.targets", post "/v0/shares/{share}/targets", share::Share, "Choose targets for a share", share;
    share::Revoke, "share.revoke", post "/v0/shares/{share}/revoke", share::Share, "Revoke a reference or an advanced share", share;
    share::Suspend, "share.suspend", post "/v0/shares/{share}/suspend", share::Share, "Suspend a share", share;
    share::Resume, "share.resume", post "/v0/shares/{share}/resume", share::Share, "Resume a suspended share", share;
    share::Release, "share.release", post "/v0/shares/{share}/release", share::Share, "Have a share go on without what its partner holds", share;
    link::Create, "link.create", post "/v0/cases/{case}/links", link::Made, "Make a download link for a case", case;
    link::List, "link.list", get "/v0/links", link::Page, "List download links", case_if_named;
    link::Revoke, "link.revoke", post "/v0/links/{link}/revoke", link::Link, "Revoke a download link", link;
    partner::SetPolicy, "partner.policy", post "/v0/partners/{partner}/policy", partner::Partner, "Set what advanced shares with a partner allow", nothing;
    evidence::Tag, "evidence.tag", post "/v0/evidence/{evidence}/tags", evidence::Evidence, "Change tags, categories and custom metadata of evidence", evidence;
    evidence::Attach, "evidence.attach", post "/v0/evidence/{evidence}/attach", evidence::Evidence, "Add a file to evidence that is there", evidence;
    evidence::AddNote, "evidence.add-note", post "/v0/evidence/{evidence}/notes", evidence::note::Noted, "Note something of evidence", evidence;
    evidence::Notes, "evidence.notes", get "/v0/evidence/{evidence}/notes", evidence::note::Noted, "List what was noted of evidence", evidence;
    evidence::SetMarker, "evidence.set-marker", post "/v0/evidence/{evidence}/markers", evidence::note::Marked, "Mark a place in evidence", evidence;
    evidence::RemoveMarker, "evidence.remove-marker", post "/v0/evidence/{evidence}/markers/remove", evidence::note::Marked, "Take a marker away", evidence;
    evidence::Markers, "evidence.markers", get "/v0/evidence/{evidence}/markers", evidence::note::Marked, "List the places in evidence that are marked", evidence;
    evidence::Trail, "evidence.trail", get "/v0/evidence/{evidence}/trail", evidence::trail::AuditTrail, "Show what was done with evidence", evidence;
    evidence::Multicam, "evidence.multicam", get "/v0/evidence/{evidence}/multicam", evidence::Cameras, "Show recordings of one event together", evidence;
    case::Tag, "case.tag", post "/v0/cases/{case}/tags", case::Case, "Change the tags of a case", case;
    partner::SetInbound, "partner.inbound", post "/v0/partners/{partner}/inbound", partner::Partner, "Set what becomes of what a partner offers", nothing;
    evidence::Edit, "evidence.edit", post "/v0/evidence/{evidence}", evidence::Evidence, "Describe evidence anew", evidence;
    disclosure::Make, "disclosure.make", post "/v0/cases/{case}/disclosures", disclosure::Disclosure, "Disclose a case to guests, who read it in the portal", case;
    disclosure::Update, "disclosure.update", post "/v0/disclosures/{disclosure}/evidence", disclosure::Disclosure, "Update a disclosure with new evidence", disclosure;
    disclosure::End, "disclosure.end", post "/v0/disclosures/{disclosure}/end", disclosure::Disclosure, "End a disclosure: from now on nobody reads it", disclosure;
    disclosure::List, "disclosure.list", get "/v0/disclosures", disclosure::Page, "List what was disclosed to guests", case_if_named;
    disclosure::Show, "disclosure.show", get "/v0/disclosures/{disclosure}", disclosure::Shown, "Show a disclosure as guests see it", disclosure;
    portal::List, "portal.list", get "/v0/portal", portal::Page, "List what was disclosed to oneself as a guest", nothing;
    portal::Show, "portal.show", get "/v0/portal/{disclosure}", portal::Shown, "Show what was disclosed to oneself as a guest", nothing;
    external::List, "external.list", get "/v0/external", external::Page, "List the cases that partners share with people here", nothing;
    external::Show, "external.show", get "/v0/external/{share}", external::Shown, "Show an external case with its evidence", nothing;
    external::Import, "external.import", post "/v0/external/{share}/import", external::External, "Import an external case, or what is new of it", nothing;
    external::Onward, "external.onward", post "/v0/external/{share}/onward", external::External, "Set who here may use an external case besides its recipients", nothing;
    audit::Show, "audit.show", get "/v0/audit", audit::Page, "Show records of the journal", nothing;
    node::Backup, "node.backup", post "/v0/node/backup", node::BackedUp, "Back the node up into a folder on its machine", nothing;
    audit::Verify, "audit.verify", post "/v0/audit/verify", audit::Verified, "Verify the whole journal", nothing;
}

/// Runs what only changes the tables, or only reads them.
macro_rules! run {
    ($how:ident: $($type:ty),* $(,)?) => {$(
        impl Run for $type {
            async fn run(self, node: &Node, caller: &Caller) -> Result<Self::Reply, Error> {
                node.$how(caller, self).await
            }
        }
    )*};
}

run!(change: user::Add, user::Edit, user::Disable, user::Enable, token::Add, token::Revoke, group::Add, group::Edit);
run!(change: role::Add, role::Edit, role::Remove);
run!(query: role::List, token::List, case::Assignable);
run!(change: partner::Confirm, partner::Enable, partner::Suspend, partner::Resume, partner::Remove);
run!(change: share::ChooseTargets, target::Add, target::Edit, target::Remove);
run!(query: target::List);
run!(change: case::Create, case::Edit, case::Close, case::Reopen, case::Access, case::Assign, settings::Set);
run!(change: feature::Enable, feature::Disable);
run!(query: settings::Show, feature::List);
run!(change: share::Add, share::Withdraw, share::End, share::Cancel, share::Revoke, share::Suspend);
run!(change: share::Resume, share::Release, partner::SetPolicy, evidence::Edit, evidence::Tag, case::Tag);
run!(change: evidence::Include, evidence::Exclude);
run!(change: evidence::AddNote, evidence::SetMarker, evidence::RemoveMarker);
run!(query: metadata::List, evidence::Multicam);
run!(query: user::List, group::List, group::Show, case::List, case::Show, evidence::List);
run!(query: share::Sets, share::Updates, link::List);
run!(change: link::Revoke);
run!(change: share::Recall, share::Answer, share::Decline, partner::SetInbound);
run!(change: retention::Add, retention::Edit, retention::Remove, retention::SetDefault, retention::Retain);
run!(change: retention::HoldCase, retention::ReleaseCase, retention::DeleteCase, retention::KeepCase);
run!(change: retention::HoldEvidence, retention::ReleaseEvidence);
run!(change: retention::DeleteEvidence, retention::KeepEvidence);
run!(query: retention::List, retention::Due);
run!(change: disclosure::End);
run!(query: disclosure::List);
