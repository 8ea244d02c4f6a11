//! YAML, as far as it says what JSON says: texts of it become texts of JSON, and back.
//!
//! Proof: the tests of both sides, `__test__/contract/http-formats.test.mjs`.

mod read;
mod write;

pub use read::to_json;
pub use write::to_yaml;
