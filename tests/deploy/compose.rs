//! The image and the compose file; that they work is shown by the stories in containers.

use crate::read;

#[test]
fn compose_file_names_the_image_of_this_version() {
    let image = format!(
        "image: ${{INTERDOCKET_IMAGE:-interdocket:{}}}",
        env!("CARGO_PKG_VERSION")
    );
    assert!(read("compose.yml").contains(&image), "{image}");
}

#[test]
fn nothing_is_published_beyond_this_machine() {
    let text = read("compose.yml");
    let published = text
        .lines()
        .filter(|line| line.trim().starts_with("ports:"));
    let published: Vec<_> = published.collect();
    assert_eq!(published.len(), 3);
    for line in published {
        assert!(line.contains("[\"127.0.0.1:"), "{line}");
    }
}

#[test]
fn image_runs_as_a_user_without_rights() {
    let text = read("image/Dockerfile");
    assert!(text.lines().any(|line| line == "USER 7400:7400"));
}
