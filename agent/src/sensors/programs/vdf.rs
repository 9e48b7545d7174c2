//! Valve's text format of keys and values, as far as Steam's own lists use it: quoted texts and braces.

/// One entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Value {
    /// A text.
    Text(String),
    /// More entries.
    Entries(Vec<(String, Value)>),
}

/// No list of Steam's nests this deep.
const DEEPEST: usize = 16;

/// Reads the whole text; `None` where it is no such text.
pub(super) fn read(text: &str) -> Option<Value> {
    let mut rest = text;
    let entries = entries(&mut rest, 0)?;
    Some(Value::Entries(entries))
}

impl Value {
    /// The entry of that name, whose upper case differs between versions of Steam.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Entries(entries) => entries
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value),
            Self::Text(_) => None,
        }
    }

    /// The text of the entry of that name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Self::Text(text) => Some(text),
            Self::Entries(_) => None,
        }
    }

    /// Every entry below.
    pub(super) fn values(&self) -> impl Iterator<Item = &Self> {
        let entries = match self {
            Self::Entries(entries) => entries.as_slice(),
            Self::Text(_) => &[],
        };
        entries.iter().map(|(_, value)| value)
    }
}

enum Token {
    Text(String),
    Open,
    Close,
    End,
}

fn entries(rest: &mut &str, depth: usize) -> Option<Vec<(String, Value)>> {
    let mut found = Vec::new();
    loop {
        let name = match token(rest)? {
            Token::Text(name) => name,
            Token::Close if depth > 0 => return Some(found),
            Token::End if depth == 0 => return Some(found),
            _ => return None,
        };
        let value = match token(rest)? {
            Token::Text(text) => Value::Text(text),
            Token::Open if depth < DEEPEST => Value::Entries(entries(rest, depth + 1)?),
            _ => return None,
        };
        found.push((name, value));
    }
}

fn token(rest: &mut &str) -> Option<Token> {
    loop {
        *rest = rest.trim_start();
        match rest.strip_prefix("//") {
            Some(comment) => *rest = comment.split_once('\n').map_or("", |(_, after)| after),
            None => break,
        }
    }
    let mut letters = rest.chars();
    let (token, after) = match letters.next() {
        None => (Token::End, ""),
        Some('{') => (Token::Open, letters.as_str()),
        Some('}') => (Token::Close, letters.as_str()),
        Some('"') => {
            let mut text = String::new();
            loop {
                match letters.next()? {
                    '"' => break,
                    '\\' => text.push(match letters.next()? {
                        'n' => '\n',
                        't' => '\t',
                        other => other,
                    }),
                    letter => text.push(letter),
                }
            }
            (Token::Text(text), letters.as_str())
        }
        Some(_) => return None,
    };
    *rest = after;
    Some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steams_lists_are_read() {
        let text = r#"
"libraryfolders"
{
    // where games lie
    "0"
    {
        "path"      "/home/u/.local/share/Steam"
        "apps"      { "228980" "181" }
    }
    "1" { "Path" "D:\\Games\\Steam \"fast\"" }
}
"#;
        let list = read(text).unwrap();
        let folders: Vec<_> = list
            .get("LibraryFolders")
            .unwrap()
            .values()
            .map(|folder| folder.text("path").unwrap())
            .collect();
        assert_eq!(
            folders,
            ["/home/u/.local/share/Steam", "D:\\Games\\Steam \"fast\""]
        );
    }

    #[test]
    fn what_is_no_such_text_is_refused_and_never_a_crash() {
        for text in [
            "\"a", "{", "}", "\"a\"", "\"a\" }", "\"a\" {", "a b", "\"a\\",
        ] {
            assert_eq!(read(text), None, "{text:?} was taken for a list");
        }
        let deep = "\"a\" {".repeat(100_000);
        assert_eq!(read(&deep), None);
        assert_eq!(read(""), Some(Value::Entries(Vec::new())));
    }
}
