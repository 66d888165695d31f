//! The Grafana dashboard, held against the figures that a node offers.

use std::collections::BTreeSet;

use interdocket_tests::World;
use interdocket_tests::files::write;
use interdocket_tests::wait::until;
use interdocket_tests::world::{case, copy, delivered};
use serde_json::Value;

use crate::read;

fn dashboard() -> Value {
    serde_json::from_str(&read("grafana.json")).unwrap()
}

/// The samples by which a page of figures can be asked, family by family.
fn offered(page: &str) -> Vec<Vec<String>> {
    let families = page.lines().filter_map(|line| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        let endings: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        let samples = endings.iter().map(|ending| format!("{name}{ending}"));
        Some(samples.collect())
    });
    families.collect()
}

/// The figures that the dashboard's queries name.
fn used(dashboard: &Value) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let words = query.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
            let named = words.filter(|word| word.starts_with("interdocket_"));
            used.extend(named.map(str::to_owned));
        }
    }
    used
}

#[test]
fn dashboard_shows_every_figure_of_a_node_and_no_other() {
    let world = World::new();
    let (north, south) = world.pair();
    let note = world.path("note.txt");
    write(&note, "for the figures");
    case(&north, "2026-17", &[&note]);
    delivered(&north, &south, &copy(&north, "2026-17", &south));
    // Some figures are there only once there is something to count.
    south.call(&["partner", "enable", &north.id]);
    copy(&north, "2026-17", &south);
    let counted = ["interdocket_refusals_total{", "interdocket_links{"];
    let page = until("everything is counted", || {
        let page = north.figures();
        counted
            .iter()
            .all(|line| page.contains(line))
            .then_some(page)
    });
    for line in [
        "interdocket_requests_total{action=\"share.copy\",outcome=\"done\"} 2",
        "interdocket_transfers_total{direction=\"out\",outcome=\"done\"} 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}: {page}");
    }

    let offered = offered(&page);
    assert!(offered.len() > 10, "{page}");
    let used = used(&dashboard());
    for family in &offered {
        let shown = family.iter().any(|sample| used.contains(sample));
        assert!(shown, "no panel shows {family:?}");
    }
    let samples: BTreeSet<_> = offered.into_iter().flatten().collect();
    let strange: Vec<_> = used.difference(&samples).collect();
    assert!(strange.is_empty(), "no node offers {strange:?}");
}

#[test]
fn panels_have_ids_and_places_of_their_own() {
    let dashboard = dashboard();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64()), "{panel}");
        assert!(panel["description"].is_string(), "{panel}");
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        let (x, y) = (place("x"), place("y"));
        for across in x..x + place("w") {
            for down in y..y + place("h") {
                assert!(across < 24 && places.insert((across, down)), "{panel}");
            }
        }
    }
}
