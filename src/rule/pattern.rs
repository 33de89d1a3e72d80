//! Patterns in rules: `*` stands for any run of characters (slashes too), everything else for itself, whatever its case.

/// Whether `pattern` covers the whole of `text`. Takes at most the product of their lengths, and no memory.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut text_at) = (0, 0);
    // Where the last `*` stands, and how far it reaches so far.
    let mut last_star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(text_at) {
        match pattern.get(at) {
            Some(b'*') => {
                last_star = Some((at, text_at));
                at += 1;
            }
            Some(expected) if expected.eq_ignore_ascii_case(&byte) => {
                at += 1;
                text_at += 1;
            }
            _ => {
                let Some((star, reach)) = last_star else { return false };
                last_star = Some((star, reach + 1));
                (at, text_at) = (star + 1, reach + 1);
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'))
}

/// Whether `pattern` fits an endpoint `METHOD host/path`, or that without its method, or its path alone; with the operation that
/// stands behind a `#`, or without. A space between host and path says nothing, in either.
pub fn fits_endpoint(pattern: &str, endpoint: &str) -> bool {
    let joined = |text: &str| text.replacen(" /", "/", 1);
    let (pattern, endpoint) = (joined(pattern), joined(endpoint));
    let without_method = endpoint.split_once(' ').map(|(_, rest)| rest);
    let path = endpoint.find('/').and_then(|at| endpoint.get(at..));
    let without_operation = |text: &str| matches(&pattern, text.split('#').next().unwrap_or(text));
    let mut texts = [Some(&*endpoint), without_method, path].into_iter().flatten();
    texts.any(|text| matches(&pattern, text) || without_operation(text))
}

pub(super) fn any_matches(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}

#[cfg(test)]
mod tests {
    use super::{fits_endpoint, matches};

    #[test]
    fn a_star_stands_for_any_run_and_case_does_not_matter() {
        for (pattern, text) in [
            ("GET shop.example.com/api/*", "GET shop.example.com/api/users/{id}"),
            ("*", ""),
            ("", ""),
            ("*_session", "_shop_SESSION"),
            ("a*b*c", "aXbXbXc"),
            ("/api/*/items*", "/api/v1/items"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("sid", "sid2"), ("", "a"), ("a*b", "abc"), ("*a", "b"), ("a*", "ba")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        assert!(!matches(&"*a".repeat(500), &format!("{}b", "a".repeat(5_000))));
    }

    #[test]
    fn a_pattern_fits_the_whole_the_place_or_the_path() {
        let endpoint = "POST api.shop.example/v1/users/{id}";
        let spaced = "POST api.shop.example /v1/users/*";
        for pattern in ["*", "POST *", spaced, "*/v1/users/*", "/v1/users/{id}", "api.*/v1/*", "post *", endpoint] {
            assert!(fits_endpoint(pattern, endpoint), "{pattern}");
        }
        for pattern in ["", "GET *", "/v1", "/v1/users/?", "*login"] {
            assert!(!fits_endpoint(pattern, endpoint), "{pattern}");
        }
    }
}
