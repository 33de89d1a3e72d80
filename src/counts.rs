//! Sums of counters that are structs: all fields or no compilation.

/// Adds the counts of one struct to another's. A field that is not named does not compile; those behind `and` are the caller's.
macro_rules! add_counts {
    ($mine:expr, $theirs:expr, $of:ident { $($count:ident),+ $(,)? } $(and { $($part:ident),+ })?) => {{
        let $of { $($count,)+ $($($part: _,)+)? } = $theirs;
        $($mine.$count += $count;)+
    }};
}
pub(crate) use add_counts;

#[cfg(test)]
mod tests {
    #[derive(Default)]
    struct Counted {
        read: u64,
        lost: u64,
        part: Option<u8>,
    }

    #[test]
    fn counts_are_added_and_parts_are_left() {
        let (mut mine, theirs) =
            (Counted { read: 1, ..Counted::default() }, Counted { read: 2, lost: 3, part: Some(4) });
        add_counts!(mine, &theirs, Counted { read, lost } and { part });
        assert_eq!((mine.read, mine.lost, mine.part), (3, 3, None));
    }
}
