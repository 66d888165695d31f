//! The `{fields}` of paths.

/// Names the `{fields}` of a path.
pub(crate) fn fields(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_path_are_found() {
        let names: Vec<_> = fields("/v0/cases/{case}/files/{file}").collect();
        assert_eq!(names, ["case", "file"]);
        assert_eq!(fields("/v0/cases").count(), 0);
    }
}
