//! The secret in the dashboard's link.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const BYTES: usize = 32;

/// 256 random bits, as hexadecimal digits. Can be printed only by name ([`Token::reveal`]), and is wiped when dropped.
pub(super) struct Token(Zeroizing<String>);

impl Token {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(Zeroizing::new(hex::encode(*bytes))))
    }

    /// For the link, and nothing else.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in a time that does not tell how much was right.
    pub(super) fn is(&self, said: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(said).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token_and_debug_hides_it() {
        let token = Token::random().unwrap();
        let text = token.reveal().to_owned();
        assert_eq!(text.len(), 64);
        assert!(token.is(text.as_bytes()));
        assert!(!token.is(&text.as_bytes()[1..]) && !token.is(b""));
        assert!(!token.is(text.to_uppercase().as_bytes()) || text.to_uppercase() == text);
        assert!(!Token::random().unwrap().is(text.as_bytes()));
        assert!(!format!("{token:?}").contains(&text[..8]));
    }
}
