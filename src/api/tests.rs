use super::*;

#[test]
fn the_number_of_an_object_is_at_its_end() {
    assert_eq!(trailing_number("42"), Some(42));
    assert_eq!(trailing_number("INV-0004711"), Some(4711));
    assert_eq!(trailing_number("é7"), Some(7));
    assert_eq!(trailing_number("abc"), None);
    assert_eq!(trailing_number("99999999999999999999999999"), None);
}
