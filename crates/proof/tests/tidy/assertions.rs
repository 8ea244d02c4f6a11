//! How much is asserted of what must be true.

use crate::repository::rust;
use crate::source::identifiers;
use crate::verdict;

/// Functions of a crate for which there is one assertion at least.
const FUNCTIONS_PER_ASSERTION: usize = 10;

#[test]
fn the_crates_of_the_product_assert_what_must_be_true() {
    let faults = ["core", "engine", "sqlite"].into_iter().filter_map(|name| {
        let folder = format!("crates/{name}/src/");
        let words = rust()
            .filter(|file| file.path.starts_with(&folder))
            .flat_map(|file| identifiers(file.product_code()).map(|(_, word)| word));
        let (mut functions, mut assertions) = (0, 0);
        for word in words {
            functions += usize::from(word == "fn");
            assertions += usize::from(word.starts_with("debug_assert"));
        }
        let is_bare = functions > FUNCTIONS_PER_ASSERTION * assertions;
        is_bare.then(|| format!("{folder}: {assertions} assertions in {functions} functions"))
    });
    verdict(faults.collect::<Vec<_>>());
}
