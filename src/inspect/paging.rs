//! How many rows a request asks for at once: `limit`, `pageSize`, `first`.
//!
//! The name of a field of a body in, in lower case and without separators, and whether its value is the size of a page out; or a
//! query in, and the size that it asks for out.

/// As frameworks and APIs call it.
const NAMES: [&[u8]; 14] = [
    b"limit",
    b"perpage",
    b"pagesize",
    b"size",
    b"top",
    b"first",
    b"last",
    b"maxresults",
    b"rows",
    b"take",
    b"pagelimit",
    b"itemsperpage",
    b"resultsperpage",
    b"batchsize",
];
/// In a body these are what a price may be, or how many are ordered.
const NAMES_IN_QUERY: [&[u8]; 3] = [b"count", b"max", b"num"];
/// Longer names of parameters are none of these.
const LONGEST_NAME: usize = 24;

pub(super) fn is_page_size(name: &[u8]) -> bool {
    NAMES.contains(&name)
}

/// A number of rows.
pub(super) fn rows_in(value: &[u8]) -> Option<u64> {
    let is_number = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()
}

/// The page size that a query asks for; the largest, where it names several.
pub fn page_size_in_query(query: &str) -> Option<u64> {
    query.split(['&', ';']).filter_map(size_in).max()
}

fn size_in(parameter: &str) -> Option<u64> {
    let (name, value) = parameter.split_once('=')?;
    let rows = rows_in(value.as_bytes()).filter(|_| name.len() <= LONGEST_NAME)?;
    // JSON:API writes `page[size]`, OData `$top`.
    let mut letters = [0; LONGEST_NAME];
    let mut length = 0;
    for (slot, byte) in letters.iter_mut().zip(name.bytes().filter(u8::is_ascii_alphabetic)) {
        *slot = byte.to_ascii_lowercase();
        length += 1;
    }
    let name = letters.get(..length)?;
    (is_page_size(name) || NAMES_IN_QUERY.contains(&name)).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_size_of_a_page_is_found_under_its_many_names() {
        for query in
            ["limit=500", "q=a&per_page=500", "pageSize=500&page=9000", "$top=500", "page[size]=500", "max=500"]
        {
            assert_eq!(page_size_in_query(query), Some(500), "{query}");
        }
        for query in ["limit", "limit=", "limit=all", "id=500", "limit=-1", "page=500", "limited=5"] {
            assert_eq!(page_size_in_query(query), None, "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read_without_a_panic(query in ".{0,80}") {
            let _ = page_size_in_query(&query);
        }
    }
}
