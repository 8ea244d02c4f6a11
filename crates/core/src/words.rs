//! Enums of which each value has a public word and a stored code.

macro_rules! words {
    ($type:ident { $($variant:ident $word:literal),* $(,)? }) => {
        impl $type {
            /// Every value.
            pub const ALL: &[$type] = &[$($type::$variant),*];
            /// Every word with its value.
            pub const WORDS: &[(&str, $type)] = &[$(($word, $type::$variant)),*];
            /// The public word.
            pub const fn as_str(self) -> &'static str {
                match self { $($type::$variant => $word),* }
            }
            /// The value with this word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some($type::$variant),)* _ => None }
            }
            /// The code under which it is stored.
            pub const fn code(self) -> u8 {
                self as u8
            }
            /// The value with this stored code.
            pub fn from_code(code: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.code() == code)
            }
        }
    };
}

pub(crate) use words;
