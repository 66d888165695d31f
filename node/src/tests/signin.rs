//! How people sign in, and how they do not.

use chrono::TimeDelta;

use crate::access::{ADMINISTRATOR, INVESTIGATOR};
use crate::actions::signin::{
    Begin, Confirm, Enrol, SetPassword, SignIn, SignOut, SignedIn, Unlock, banner,
};
use crate::actions::{Caller, Error, ErrorKind, Run, Way, audit, case, settings, token, user};
use crate::event::{Event, Proof, SignedOutFor};
use crate::jobs;
use crate::signin::totp;
use crate::tests::bench::Bench;

const PASSWORD: &str = "nine quiet herons at dusk";

async fn person(at: &Bench, name: &str, role: &str) -> user::User {
    let add = user::Add {
        name: name.into(),
        role: role.into(),
        email: format!("{}@north.example", name.to_lowercase()),
        badge: String::new(),
    };
    at.change(add).await.unwrap()
}

pub(super) async fn try_in(
    at: &Bench,
    user: &str,
    password: &str,
    code: &str,
) -> Result<SignedIn, Error> {
    let request = SignIn {
        user: user.into(),
        password: password.into(),
        code: code.into(),
    };
    let signed = at.node.sign_in(request, Some("192.0.2.7".parse().unwrap()));
    signed.await
}

async fn ask<A: Run>(at: &Bench, secret: &str, action: A) -> Result<A::Reply, Error> {
    let caller: Caller = at.node.authenticate(secret)?;
    action.run(&at.node, &caller).await
}

async fn code(at: &Bench, user: &str) -> String {
    let enrol = Enrol { user: user.into() };
    let made = enrol.run(&at.node, &at.node.owner()).await;
    made.unwrap().code
}

/// An authenticator, as it is set up by its base32 key.
pub(super) struct Phone(Vec<u8>);

impl Phone {
    /// What it shows next: a code counts once.
    fn next(&self, at: &Bench) -> String {
        at.pass(30);
        let now = at.node.parts().clock.now().timestamp();
        totp::code(&self.0, now.unsigned_abs() / 30)
    }

    pub(super) async fn sign_in(&self, at: &Bench, user: &str) -> Result<SignedIn, Error> {
        let code = self.next(at);
        try_in(at, user, PASSWORD, &code).await
    }
}

/// Enrols somebody: their session, authenticator and recovery codes.
pub(super) async fn enrol(at: &Bench, user: &str) -> (String, Phone, Vec<String>) {
    let signed = try_in(at, user, &code(at, user).await, "").await.unwrap();
    assert!(signed.enrolling);
    let begin = Begin {
        password: PASSWORD.into(),
    };
    let shown = ask(at, &signed.secret, begin).await.unwrap();
    let phone = Phone(
        data_encoding::BASE32_NOPAD
            .decode(shown.key.as_bytes())
            .unwrap(),
    );
    let confirm = Confirm {
        code: phone.next(at),
    };
    let recovery = ask(at, &signed.secret, confirm).await.unwrap();
    (signed.secret, phone, recovery.codes)
}

/// What was recorded behind answers is there by then.
async fn recorded(at: &Bench) {
    let behind = &at.node.parts().moment.signins.behind;
    behind.close();
    behind.wait().await;
    behind.reopen();
    at.node.tidy().await;
}

async fn refused_of(at: &Bench) -> Vec<String> {
    at.pass(61);
    recorded(at).await;
    let page = audit::Show::default().run(&at.node, &at.node.owner()).await;
    let records = page.unwrap().records.into_iter();
    records
        .filter(|record| record.event == "refused")
        .map(|record| record.details.unwrap()["refused"].to_string())
        .collect()
}

fn wrong(signed: Result<SignedIn, Error>) -> Error {
    let error = signed.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Forbidden, "{error}");
    error
}

/// Rows 1, 6, 7, 9, 16 of the figures for criminal-justice users.
#[tokio::test]
async fn who_enrolled_signs_in_by_password_and_authenticator_and_both_are_on_record() {
    let north = Bench::new("north");
    let amy = person(&north, "Amy", INVESTIGATOR).await;
    let (first, phone, _) = enrol(&north, "Amy").await;
    let caller = north.node.authenticate(&first).unwrap();
    assert_eq!((caller.way, caller.actor.id), (Way::Session, amy.id));
    let signed = phone.sign_in(&north, "AMY@north.example").await.unwrap();
    assert!(!signed.enrolling);
    let create = case::Create {
        number: "1/26".into(),
        title: String::new(),
        description: String::new(),
        targets: Vec::new(),
    };
    let case = ask(&north, &signed.secret, create).await.unwrap();
    assert_eq!(case.created_by.as_deref(), Some("Amy"));
    let names: Vec<Event> = north.about(amy.id);
    let by = names.iter().filter_map(|event| match event {
        Event::SignedIn(signed) => Some((signed.by, signed.from)),
        _ => None,
    });
    let from = Some("192.0.2.7".parse().unwrap());
    let by: Vec<_> = by.collect();
    assert_eq!(by[0], (Proof::Enrolment, from));
    assert!(matches!(by[1], (Proof::Code(_), _)), "{by:?}");
    let about = audit::Show {
        about: Some("Amy".into()),
        ..audit::Show::default()
    };
    let page = about.run(&north.node, &north.node.owner()).await.unwrap();
    let told = serde_json::to_string(&page).unwrap();
    for event in ["enrolment code made", "user enrolled", "signed in"] {
        assert!(told.contains(event), "{event}");
    }
    assert!(!told.contains("argon2") && told.contains("(secret)"));
    north.rebuilds().await;
}

/// What a database file shows whoever steals it: nothing that signs in, and nothing that can be guessed at.
#[tokio::test]
async fn nothing_that_proves_who_somebody_is_lies_open_on_a_disk() {
    let north = Bench::new("north");
    person(&north, "Amy", INVESTIGATOR).await;
    let (secret, phone, recovery) = enrol(&north, "Amy").await;
    let tables: Vec<u8> = north
        .tables()
        .into_iter()
        .flat_map(|(key, value)| [key, value].concat())
        .collect();
    let mut disks = vec![tables];
    for disk in [&north.journal] {
        for name in crate::disk::Disk::list(&**disk).unwrap() {
            disks.push(crate::disk::read(&**disk, &name).unwrap());
        }
    }
    let (typed, hash) = (recovery[0].as_bytes(), token::hash(&secret).0);
    for held in &disks {
        let has = |what: &[u8]| held.windows(what.len()).any(|window| window == what);
        assert!(!has(b"argon2") && !has(&phone.0) && !has(typed) && !has(&hash));
        assert!(!has(secret.as_bytes()) && !has(PASSWORD.as_bytes()));
    }
}

/// Row 7: each value at most once, also after a crash.
#[tokio::test]
async fn a_code_counts_once_and_so_does_a_recovery_code() {
    let north = Bench::new("north");
    person(&north, "Amy", INVESTIGATOR).await;
    let (_, phone, recovery) = enrol(&north, "Amy").await;
    let code = phone.next(&north);
    try_in(&north, "Amy", PASSWORD, &code).await.unwrap();
    wrong(try_in(&north, "Amy", PASSWORD, &code).await);
    let typed = recovery[3].to_lowercase().replace('-', " ");
    try_in(&north, "Amy", PASSWORD, &typed).await.unwrap();
    wrong(try_in(&north, "Amy", PASSWORD, &recovery[3]).await);
    recorded(&north).await;
    let north = north.crash(2);
    wrong(try_in(&north, "Amy", PASSWORD, &code).await);
    wrong(try_in(&north, "Amy", PASSWORD, &recovery[3]).await);
    wrong(try_in(&north, "Amy", "nine quiet herons", &recovery[4]).await);
    try_in(&north, "Amy", PASSWORD, &recovery[4]).await.unwrap();
    phone.sign_in(&north, "Amy").await.unwrap();
    recorded(&north).await;
    north.rebuilds().await;
}

/// Row 4
#[tokio::test]
async fn five_wrong_tries_lock_somebody_until_an_administrator_unlocks_them() {
    let north = Bench::new("north");
    let amy = person(&north, "Amy", ADMINISTRATOR).await;
    let (secret, phone, _) = enrol(&north, "Amy").await;
    for _ in 0..4 {
        wrong(try_in(&north, "Amy", "wrong", "000000").await);
    }
    phone.sign_in(&north, "Amy").await.unwrap();
    for password in ["wrong", PASSWORD, "wrong", "wrong", "wrong"] {
        wrong(try_in(&north, "Amy", password, "000000").await);
    }
    recorded(&north).await;
    let locked = north.about(amy.id);
    let locked = locked
        .iter()
        .filter(|event| matches!(event, Event::UserLocked(_)));
    assert_eq!(locked.count(), 1);
    wrong(phone.sign_in(&north, "Amy").await);
    north.pass(24 * 3600);
    let north = north.crash(3);
    wrong(phone.sign_in(&north, "Amy").await);
    recorded(&north).await;
    let unlock = Unlock { user: "Amy".into() };
    // The last administrator is unlocked by whoever runs the node.
    let unlocked = unlock.run(&north.node, &north.node.owner()).await.unwrap();
    assert_eq!(unlocked.locked_at, None);
    phone.sign_in(&north, "Amy").await.unwrap();
    assert!(
        north.node.authenticate(&secret).is_err(),
        "not kept across a restart"
    );
    north.rebuilds().await;
}

/// However many tries come at once, five are looked at.
#[tokio::test]
async fn tries_that_come_at_once_are_not_all_looked_at() {
    let north = Bench::new("north");
    person(&north, "Amy", INVESTIGATOR).await;
    let (_, phone, _) = enrol(&north, "Amy").await;
    let code = phone.next(&north);
    let ins = &north.node.parts().moment.signins;
    let places = ins.crowd();
    // So many that five were looked at before the last one has a place, in whatever order they are.
    let before = 5 + places.len();
    let guesses = (0..before).map(|_| try_in(&north, "Amy", "a guess", &code));
    let queued = async |least: usize| {
        while ins.queued() < least {
            tokio::task::yield_now().await;
        }
    };
    let right = async {
        queued(before).await;
        try_in(&north, "Amy", PASSWORD, &code).await
    };
    let open = async {
        queued(before + 1).await;
        drop(places);
    };
    let guesses = futures_util::future::join_all(guesses);
    let (guesses, right, ()) = tokio::join!(guesses, right, open);
    for tried in guesses.into_iter().chain([right]) {
        wrong(tried);
    }
}

#[tokio::test]
async fn what_was_wrong_is_told_to_nobody_and_counted_for_the_audit() {
    let north = Bench::new("north");
    person(&north, "Amy", INVESTIGATOR).await;
    person(&north, "Ben", INVESTIGATOR).await;
    person(&north, "Cem", INVESTIGATOR).await;
    let (_, phone, _) = enrol(&north, "Amy").await;
    enrol(&north, "Ben").await;
    let ben = user::Disable { user: "Ben".into() };
    north.change(ben).await.unwrap();
    let next = phone.next(&north);
    let tries = [
        ("Amy", "wrong", next.as_str()),
        ("Amy", PASSWORD, "000000"),
        ("Amy", PASSWORD, ""),
        ("Ben", PASSWORD, next.as_str()),
        ("Cem", PASSWORD, next.as_str()),
        ("Cem", "ABCD-EFGH-2345", ""),
        ("nobody", PASSWORD, next.as_str()),
        ("hunter2", "", ""),
        ("", "", ""),
    ];
    let mut errors = Vec::new();
    for (user, password, code) in tries {
        errors.push(wrong(try_in(&north, user, password, code).await));
    }
    errors.dedup();
    assert_eq!(errors.len(), 1);
    let told = refused_of(&north).await;
    let of = |what: &str| -> u64 {
        let rows = told.iter().filter(|row| row.contains(what));
        let count = |row: &String| {
            let row: serde_json::Value = serde_json::from_str(row).unwrap();
            row["count"].as_u64().unwrap()
        };
        rows.map(count).sum()
    };
    let counts = ["Amy", "Ben", "Cem", "nobody is called so"].map(of);
    assert_eq!(counts, [3, 1, 2, 3], "{told:?}");
    assert!(
        !told.concat().contains("hunter2"),
        "what was typed is on no record"
    );
}

/// Whoever guesses at many people from one address is not looked at any more, and is on record.
#[tokio::test]
async fn too_many_wrong_tries_from_one_address_wait_whoever_they_are_for() {
    let north = Bench::new("north");
    person(&north, "Amy", INVESTIGATOR).await;
    let (_, phone, _) = enrol(&north, "Amy").await;
    let parts = north.node.parts();
    let from = Some("192.0.2.7".parse().unwrap());
    for _ in 0..49 {
        parts
            .moment
            .signins
            .networks
            .wrong(from, parts.clock.elapsed());
    }
    wrong(try_in(&north, "nobody", PASSWORD, "000000").await);
    for _ in 0..2 {
        let refused = phone.sign_in(&north, "Amy").await.err().unwrap();
        assert_eq!(refused.kind, ErrorKind::Unavailable);
    }
    let told = refused_of(&north).await.concat();
    assert!(
        told.contains("too many wrong tries from one address"),
        "{told}"
    );
    north.pass(15 * 60);
    phone.sign_in(&north, "Amy").await.unwrap();
}

/// Row 9
#[tokio::test]
async fn a_code_for_enrolling_is_good_for_that_and_nothing_else_once_and_for_five_minutes() {
    let north = Bench::new("north");
    person(&north, "Amy", ADMINISTRATOR).await;
    let made = code(&north, "Amy").await;
    assert_eq!(made.len(), 14, "{made}");
    let signed = try_in(&north, "Amy", &made, "").await.unwrap();
    wrong(try_in(&north, "Amy", &made, "").await);
    let list = ask(&north, &signed.secret, user::List::default()).await;
    let early = list.unwrap_err();
    assert_eq!(early.kind, ErrorKind::Forbidden);
    assert_eq!(early.message, "enrol first: user.list comes after that");
    let set = SetPassword {
        old: made,
        new: PASSWORD.into(),
    };
    assert!(ask(&north, &signed.secret, set).await.is_err());
    let early = Confirm {
        code: "000000".into(),
    };
    let early = ask(&north, &signed.secret, early).await;
    assert_eq!(early.err().unwrap().kind, ErrorKind::Conflict);
    for unfit in ["short", "password1", "amy-north-2026"] {
        let begin = Begin {
            password: unfit.into(),
        };
        let refused = ask(&north, &signed.secret, begin).await.err().unwrap();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{unfit}");
    }
    let begin = Begin {
        password: PASSWORD.into(),
    };
    ask(&north, &signed.secret, begin).await.unwrap();
    let mistyped = Confirm {
        code: "000000".into(),
    };
    let mistyped = ask(&north, &signed.secret, mistyped).await;
    assert_eq!(mistyped.err().unwrap().kind, ErrorKind::Invalid);
    wrong(try_in(&north, "Amy", PASSWORD, "000000").await);
    let late = code(&north, "Amy").await;
    north.pass(300);
    wrong(try_in(&north, "Amy", &late, "").await);
    let lost = code(&north, "Amy").await;
    recorded(&north).await;
    let north = north.crash(5);
    wrong(try_in(&north, "Amy", &lost, "").await);
}

/// Who enrols anew has another password and authenticator; what was before counts no more.
#[tokio::test]
async fn enrolling_anew_ends_what_was_before() {
    let north = Bench::new("north");
    person(&north, "Amy", INVESTIGATOR).await;
    let (old, phone, recovery) = enrol(&north, "Amy").await;
    let (new, other, _) = enrol(&north, "Amy").await;
    assert!(north.node.authenticate(&old).is_err());
    assert!(north.node.authenticate(&new).is_ok());
    wrong(phone.sign_in(&north, "Amy").await);
    wrong(try_in(&north, "Amy", PASSWORD, &recovery[0]).await);
    other.sign_in(&north, "Amy").await.unwrap();
}

#[tokio::test]
async fn another_password_ends_all_sessions_but_the_one_that_set_it() {
    let north = Bench::new("north");
    person(&north, "Amy", INVESTIGATOR).await;
    let (one, phone, _) = enrol(&north, "Amy").await;
    let other = phone.sign_in(&north, "Amy").await.unwrap().secret;
    let set = |old: &str, new: &str| SetPassword {
        old: old.into(),
        new: new.into(),
    };
    let new = "two herons less, as far as I know";
    let unfit = ask(&north, &one, set(PASSWORD, "qwertyuiop")).await;
    assert_eq!(unfit.unwrap_err().kind, ErrorKind::Invalid);
    let guessed = ask(&north, &one, set("wrong", new)).await;
    assert_eq!(guessed.unwrap_err().kind, ErrorKind::Forbidden);
    ask(&north, &one, set(PASSWORD, new)).await.unwrap();
    assert!(north.node.authenticate(&one).is_ok());
    assert!(north.node.authenticate(&other).is_err());
    wrong(phone.sign_in(&north, "Amy").await);
    let code = phone.next(&north);
    try_in(&north, "Amy", new, &code).await.unwrap();
    recorded(&north).await;
    north.rebuilds().await;
}

/// Rows 10, 11, 12; AC-2: a session proves nothing once it is over, or its user is disabled.
#[tokio::test]
async fn sessions_end_by_signing_out_by_time_and_with_their_user() {
    let north = Bench::new("north");
    let amy = person(&north, "Amy", INVESTIGATOR).await;
    let (one, phone, _) = enrol(&north, "Amy").await;
    ask(&north, &one, SignOut {}).await.unwrap();
    assert!(north.node.authenticate(&one).is_err());
    let idle = phone.sign_in(&north, "Amy").await.unwrap().secret;
    north.pass(31 * 60);
    assert!(north.node.authenticate(&idle).is_err());
    jobs::people::sessions(&north.node).await.unwrap();
    let stopped = phone.sign_in(&north, "Amy").await.unwrap().secret;
    let disable = user::Disable { user: "Amy".into() };
    north.change(disable).await.unwrap();
    assert!(north.node.authenticate(&stopped).is_err());
    jobs::people::sessions(&north.node).await.unwrap();
    let ends = north.about(amy.id).into_iter();
    let ends = ends.filter_map(|event| match event {
        Event::SignedOut(ended) => Some(ended.reason),
        _ => None,
    });
    let expected = [
        SignedOutFor::Asked,
        SignedOutFor::Idle,
        SignedOutFor::Stopped,
    ];
    assert!(ends.eq(expected));
    let enable = user::Enable { user: "Amy".into() };
    north.change(enable).await.unwrap();
    assert!(north.node.authenticate(&stopped).is_err(), "it stays over");
}

#[tokio::test]
async fn nobody_makes_a_code_for_whoever_holds_more_than_they_do() {
    let north = Bench::new("north");
    let role = crate::actions::role::Add {
        name: "Personnel".into(),
        permissions: ["people.view", "people.manage"]
            .map(|name| serde_json::from_value(name.into()).unwrap())
            .into(),
    };
    north.change(role).await.unwrap();
    person(&north, "Pia", "Personnel").await;
    person(&north, "Ada", ADMINISTRATOR).await;
    let (pia, _, _) = enrol(&north, "Pia").await;
    let user = || "Ada".to_owned();
    let refused = ask(&north, &pia, Enrol { user: user() }).await;
    assert_eq!(refused.err().unwrap().kind, ErrorKind::Forbidden);
    let refused = ask(&north, &pia, Unlock { user: user() }).await;
    assert_eq!(refused.err().unwrap().kind, ErrorKind::Forbidden);
}

/// AC-2(3): accounts that nobody uses for 90 days; never the last administrator.
#[tokio::test]
async fn who_does_not_call_for_ninety_days_is_disabled_and_who_does_is_not() {
    let north = Bench::new("north");
    for (name, role) in [
        ("Ada", ADMINISTRATOR),
        ("Bo", ADMINISTRATOR),
        ("Amy", INVESTIGATOR),
        ("Ben", INVESTIGATOR),
    ] {
        person(&north, name, role).await;
    }
    let add = token::Add {
        user: "Ben".into(),
        days: Some(365),
    };
    let token = north.change(add).await.unwrap().token;
    let (_, phone, _) = enrol(&north, "Amy").await;
    let disabled = async || {
        jobs::people::look(&north.node).await.unwrap();
        let list = user::List::default();
        let owner = north.node.owner();
        let users = list.run(&north.node, &owner).await.unwrap().users;
        let disabled = users.into_iter().filter(|user| user.disabled_at.is_some());
        disabled.map(|user| user.name).collect::<Vec<_>>()
    };
    north.later(TimeDelta::days(60));
    north.node.authenticate(&token).unwrap();
    phone.sign_in(&north, "Amy").await.unwrap();
    assert!(disabled().await.is_empty());
    north.later(TimeDelta::days(40));
    assert_eq!(
        disabled().await,
        ["Ada"],
        "and Bo is the last administrator"
    );
    north.node.authenticate(&token).unwrap();
    north.later(TimeDelta::days(51));
    assert_eq!(disabled().await, ["Ada", "Amy"]);
    assert!(north.node.authenticate(&token).is_ok());
    let enable = user::Enable { user: "Amy".into() };
    north.change(enable).await.unwrap();
    assert_eq!(disabled().await, ["Ada"], "it counts anew");
    north.rebuilds().await;
}

/// fault B10: what depends on the time waits while the clock is not to be trusted.
#[tokio::test]
async fn nobody_signs_in_and_nobody_is_idle_under_a_suspect_clock() {
    let north = Bench::new("north");
    person(&north, "Amy", INVESTIGATOR).await;
    let (secret, phone, _) = enrol(&north, "Amy").await;
    north.later(TimeDelta::days(100));
    let says = north.node.parts().clock.now();
    let suspected = crate::event::ClockSuspected {
        says,
        expected: crate::tests::bench::noon(),
    };
    jobs::suspect(&north.node, suspected).await.unwrap();
    let error = phone.sign_in(&north, "Amy").await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(jobs::people::look(&north.node).await.is_err());
    assert!(north.node.authenticate(&secret).is_err(), "it was idle");
}

/// Row 14
#[tokio::test]
async fn the_banner_is_what_the_organisation_set() {
    let north = Bench::new("north");
    let shown = async || north.node.read(banner).await.unwrap().text;
    let standard = shown().await;
    for said in ["restricted", "monitored", "prohibited", "consent"] {
        assert!(standard.contains(said), "{said}");
    }
    let set = |banner: &str| settings::Set {
        deletion_days: None,
        disclosure_portal: None,
        restrict_edit: None,
        banner: Some(banner.into()),
    };
    let kept = north.change(set("For police\nuse only")).await.unwrap();
    assert_eq!(kept.banner, "For police\nuse only");
    assert_eq!(shown().await, "For police\nuse only");
    for unfit in ["\u{1b}[2J".to_owned(), "x".repeat(2049)] {
        let refused = north.change(set(&unfit)).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
    }
    north.change(set("")).await.unwrap();
    assert_eq!(shown().await, standard);
    north.rebuilds().await;
}
