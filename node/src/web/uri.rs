//! Parts of URIs: what stands in a path, a query or a header is encoded here and nowhere else.

use std::fmt::Write as _;

/// Encodes a text so that it is one segment of a path, or one name or value of a query.
///
/// Source: RFC 3986, 2.3: all but unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => write!(encoded, "%{byte:02X}").expect("a string takes every write"),
        }
    }
    encoded
}

/// Names the `{fields}` of a path.
pub(crate) fn fields(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_cannot_leave_its_segment() {
        assert_eq!(
            encode("2026/17 ü?&=#.."),
            "2026%2F17%20%C3%BC%3F%26%3D%23.."
        );
    }

    #[test]
    fn fields_of_a_path_are_found() {
        let names: Vec<_> = fields("/v0/cases/{case}/files/{file}").collect();
        assert_eq!(names, ["case", "file"]);
        assert_eq!(fields("/v0/cases").count(), 0);
    }
}
