//! A bearer token that no debug output shows.

use std::fmt;

/// A bearer token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether an `Authorization` header carries it. The scheme's name matches in any case (RFC 9110, 11.1).
    pub(crate) fn matches(&self, header: &str) -> bool {
        header.split_once(' ').is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && token.trim() == self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_compared_and_never_shown() {
        let token = Token::new("s3cret");
        assert!(token.matches("bearer s3cret"));
        assert!(!token.matches("Bearer s3cre"));
        assert!(!token.matches("Basic s3cret"));
        assert!(token.matches(&token.header()));
        assert_eq!(format!("{token:?}"), "Token(***)");
    }
}
