//! Finding the name a person most likely meant.

/// The candidate nearest to `wanted`, or none when nothing is near enough to be a slip of the hand.
///
/// Case does not count, and transposed letters are one slip. The number of slips allowed grows with
/// the length: one in three letters.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let slips_max = (wanted.chars().count() / 3).clamp(1, 5);
    candidates
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&wanted, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(slips, name)| *slips <= slips_max && *slips < name.chars().count())
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_whatever_its_case() {
        let names = ["orders", "lineitem", "Customer"];
        assert_eq!(nearest("ordrs", names), Some("orders"));
        assert_eq!(nearest("LINEITEMS", names), Some("lineitem"));
        assert_eq!(nearest("csutomer", names), Some("Customer"));
    }

    #[test]
    fn far_names_are_not_proposed() {
        assert_eq!(nearest("shipments", ["orders", "lineitem"]), None);
        assert_eq!(nearest("a", ["b", "c"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
