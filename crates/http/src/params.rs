//! The params of a call: each read once, and all that is wrong with them is told at once.
//!
//! What nobody knows is ignored: clients of the Task Executor API send some.
//!
//! Proof: the tests below, `__test__/contract/http.test.mjs`.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use tasker_core::argument;
use tasker_core::time::WallMs;

use crate::moment;
use crate::refusal::{Fault, Refusal};

/// The params of a call.
pub(crate) struct Params<'a> {
    all: BTreeMap<String, &'a RawValue>,
    faults: Vec<Fault>,
}

fn path(name: &str) -> String {
    format!("params.{name}")
}

impl<'a> Params<'a> {
    /// Those of a call that says some.
    ///
    /// # Errors
    /// `InvalidParams` if they are no object.
    pub(crate) fn read(text: Option<&'a RawValue>) -> Result<Self, Refusal> {
        let all = match text.map(RawValue::get) {
            None | Some("null") => BTreeMap::new(),
            Some(text) => serde_json::from_str(text)
                .map_err(|_| Refusal::invalid_at("params", "must be an object"))?,
        };
        Ok(Self { all, faults: Vec::new() })
    }

    /// One that is there and is not null.
    pub(crate) fn json(&self, name: &str) -> Option<&'a str> {
        self.all.get(name).map(|raw| raw.get()).filter(|text| *text != "null")
    }

    /// One that is there, also if it is null.
    pub(crate) fn given(&self, name: &str) -> Option<&'a str> {
        self.all.get(name).map(|raw| raw.get())
    }

    /// Something is wrong.
    pub(crate) fn fault(&mut self, name: &str, message: impl Into<String>) {
        self.faults.push(Fault { path: path(name), message: message.into() });
    }

    fn read_as<T>(
        &mut self,
        name: &str,
        must: &str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Option<T> {
        let read = read(self.json(name)?);
        if read.is_none() {
            self.fault(name, must);
        }
        read
    }

    /// A text of so many bytes at most, which is not empty.
    pub(crate) fn text(&mut self, name: &str, bytes_max: usize) -> Option<String> {
        let must = format!("must be a text of 1 to {bytes_max} bytes");
        let is_fit = |text: &String| (1..=bytes_max).contains(&text.len());
        self.read_as(name, &must, |text| {
            argument::as_text(text).map(|text| text.into_owned()).filter(is_fit)
        })
    }

    /// One that must be there; what stands for it if it is not is never used.
    pub(crate) fn required<T: Default>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self, &str) -> Option<T>,
    ) -> T {
        if self.json(name).is_none() {
            self.fault(name, "is missing");
            return T::default();
        }
        read(self, name).unwrap_or_default()
    }

    /// A list of texts.
    pub(crate) fn texts(
        &mut self,
        name: &str,
        (count_max, bytes_max): (usize, usize),
    ) -> Option<Vec<String>> {
        let must =
            format!("must be a list of {count_max} texts at most, each of 1 to {bytes_max} bytes");
        let is_fit = |text: &String| (1..=bytes_max).contains(&text.len());
        self.read_as(name, &must, |text| {
            let read: Option<Vec<String>> = serde_json::from_str(text).ok();
            read.filter(|all| all.len() <= count_max && all.iter().all(is_fit))
        })
    }

    /// A whole number within bounds.
    pub(crate) fn count(&mut self, name: &str, min: u64, max: u64) -> Option<u64> {
        let must = format!("must be a whole number from {min} to {max}");
        self.read_as(name, &must, |text| {
            let number: f64 = serde_json::from_str(text).ok()?;
            let is_fit = number.fract() == 0.0 && (min as f64..=max as f64).contains(&number);
            is_fit.then_some(number as u64)
        })
    }

    /// A number.
    pub(crate) fn number(&mut self, name: &str) -> Option<f64> {
        self.read_as(name, "must be a number", |text| {
            serde_json::from_str::<f64>(text).ok().filter(|number| number.is_finite())
        })
    }

    /// Whether something is wished.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        self.read_as(name, "must be true or false", |text| text.parse().ok()).unwrap_or(false)
    }

    /// A moment, in ISO 8601.
    pub(crate) fn moment(&mut self, name: &str) -> Option<WallMs> {
        let must = "must be a time like '2030-01-31T12:00:00Z'; without a zone it is UTC";
        self.read_as(name, must, |text| moment::read(&argument::as_text(text)?))
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let must = format!("must be one of {}", known.join(", "));
        self.read_as(name, &must, |text| {
            let given = argument::as_text(text)?;
            words.iter().find(|(word, _)| given == *word).map(|(_, value)| *value)
        })
    }

    /// An object or an array, or whatever is asked for, as its text.
    pub(crate) fn object(&mut self, name: &str) -> Option<&'a str> {
        self.read_as(name, "must be an object", |text| text.starts_with('{').then_some(text))
    }

    /// The members of an object.
    pub(crate) fn inner(&mut self, name: &str) -> Params<'a> {
        let all = self.object(name).and_then(|text| serde_json::from_str(text).ok());
        Params { all: all.unwrap_or_default(), faults: Vec::new() }
    }

    /// What is wrong with an object that [`Params::inner`] gave is wrong with this.
    pub(crate) fn close_inner(&mut self, name: &str, inner: Params<'a>) {
        let within =
            |fault: Fault| Fault { path: fault.path.replacen("params", &path(name), 1), ..fault };
        self.faults.extend(inner.faults.into_iter().map(within));
    }

    /// All have been read.
    ///
    /// # Errors
    /// `InvalidParams` with everything that is wrong.
    pub(crate) fn end(self) -> Result<(), Refusal> {
        if self.faults.is_empty() { Ok(()) } else { Err(Refusal::invalid(self.faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_with_its_path() {
        let text = raw(r#"{"a":7,"b":"","c":[1],"d":1.5,"e":"yes","f":"soon","g":"x","h":[],
               "i":{"j":true},"k":null,"unknown":1}"#);
        let mut params = Params::read(Some(&text)).unwrap();
        params.text("a", 9);
        params.text("b", 9);
        params.texts("c", (9, 9));
        params.count("d", 0, 9);
        params.flag("e");
        params.moment("f");
        params.word("g", &[("y", 1)]);
        params.object("h");
        let mut inner = params.inner("i");
        inner.text("j", 9);
        params.close_inner("i", inner);
        let missing: String = params.required("k", |params, name| params.text(name, 9));
        assert_eq!(missing, "");
        let faults = params.end().unwrap_err().faults;
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        let expected = ["a", "b", "c", "d", "e", "f", "g", "h", "i.j", "k"];
        assert_eq!(paths, expected.map(|name| format!("params.{name}")));
    }

    #[test]
    fn no_params_are_none_and_what_is_no_object_is_wrong() {
        assert!(Params::read(None).unwrap().json("a").is_none());
        assert!(Params::read(Some(&raw("null"))).is_ok());
        for wrong in ["[]", "7", "\"a\""] {
            let refusal = Params::read(Some(&raw(wrong))).err().unwrap();
            assert_eq!(refusal.faults[0].path, "params");
        }
    }
}
