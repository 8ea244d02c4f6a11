//! Where JavaScript and Rust meet, and what the whole house leaves alone.

use crate::repository::{file, rust};
use crate::source::{closing, line_of};
use crate::verdict;

#[test]
fn every_napi_function_catches_unwinds() {
    let mut faults = Vec::new();
    for file in rust().filter(|file| file.path.starts_with("src/")) {
        let code = file.code();
        for (at, _) in code.match_indices("#[napi") {
            let end = closing(code, at + 1);
            if is_function(&code[end..]) && !code[at..end].contains("catch_unwind") {
                faults.push(format!("{}:{}: {}", file.path, line_of(code, at), &code[at..end]));
            }
        }
    }
    verdict(faults);
}

/// Whether the item after an attribute is a function.
fn is_function(code: &str) -> bool {
    let mut rest = code.trim_start();
    while rest.starts_with("#[") {
        rest = rest[closing(rest, 1)..].trim_start();
    }
    let words = rest.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut words = words.skip_while(|word| ["pub", "crate", "async", "unsafe"].contains(word));
    words.next() == Some("fn")
}

#[test]
fn a_panic_never_aborts_the_process() {
    let aborts = file("Cargo.toml").text.replace(' ', "").contains("panic=\"abort\"");
    assert!(!aborts, "F-6: a panic is caught at each border, so unwinding stays on");
}

#[test]
fn the_host_process_is_left_alone() {
    let own = ["set_hook", "global_allocator", "process::exit", "process::abort", "set_var"];
    let mut faults = Vec::new();
    for file in rust().filter(|file| !file.is_test()) {
        for word in own {
            let places = file.product_code().match_indices(word);
            faults.extend(
                places.map(|(at, _)| format!("{}:{}: {word}", file.path, line_of(file.code(), at))),
            );
        }
    }
    verdict(faults);
}
