//! "Did you mean": the known name nearest to a misspelt one.

/// Edits are forgiven up to a third of the name, rounded up: `scaner`, `brute-force`, `cred_stuffing` are understood,
/// `foo` is not taken for anything.
const LETTERS_PER_EDIT: usize = 3;

/// The known name that was probably meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (edits, name) = known.into_iter().map(|name| (distance(typed, name), name)).min()?;
    (edits <= name.len().max(typed.len()).div_ceil(LETTERS_PER_EDIT)).then_some(name)
}

/// `; did you mean `scanner`?`, or nothing where no name is near.
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

/// Optimal string alignment distance: insertions, deletions, substitutions, swaps of neighbours
/// (Wikipedia, "Damerau–Levenshtein distance").
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.to_lowercase().chars().collect();
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, &c) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &d) in other.iter().enumerate() {
            // `row` has j + 1 entries and `last` and `before_last` one more than `other`: no index is out of range.
            let mut edits = (last[j] + usize::from(c != d)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && c == other[j - 1] && one[i - 1] == d {
                edits = edits.min(before_last[j - 1] + 1);
            }
            row.push(edits);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["scanner", "brute_force", "credential_stuffing"];

    #[test]
    fn a_misspelt_name_is_understood() {
        for (typed, meant) in [("scaner", "scanner"), ("Brute-Force", "brute_force"), ("cred_stuffing", NAMES[2])] {
            assert_eq!(did_you_mean(typed, NAMES), format!("; did you mean `{meant}`?"));
        }
    }

    #[test]
    fn what_is_like_nothing_is_taken_for_nothing() {
        for typed in ["", "x", "phishing", "日本"] {
            assert_eq!(did_you_mean(typed, NAMES), "");
        }
    }

    #[test]
    fn distances_are_counted_in_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
