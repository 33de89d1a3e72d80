//! The line and column of a place in a document, for the message about a fault there.
//!
//! The tree does not keep places: only a refused document needs one. Its text is read a second time, as tokens, down
//! the keys of the place. Where a key is missing, the place is its parent's.

use super::document::Document;
use saphyr_parser::{Event, Parser};

enum Token {
    OpenMapping,
    OpenSequence,
    Close,
    Scalar(String),
    Alias,
}

/// Line and column, from 1.
type Place = (usize, usize);

pub fn place_of(document: &Document<'_>, path: &[String]) -> Option<Place> {
    if document.is_json {
        let mut tokens = JsonTokens { text: document.text, at: 0 };
        let offset = descend(&mut tokens, path)?;
        let before = document.text.get(..offset)?;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        Some((before.matches('\n').count() + 1, column))
    } else {
        let parser = Parser::new_from_str(document.text);
        let mut tokens = parser.map_while(Result::ok).filter_map(|(event, span)| {
            let token = match event {
                Event::MappingStart(..) => Token::OpenMapping,
                Event::SequenceStart(..) => Token::OpenSequence,
                Event::MappingEnd | Event::SequenceEnd => Token::Close,
                Event::Scalar(text, ..) => Token::Scalar(text.into_owned()),
                Event::Alias(_) => Token::Alias,
                _ => return None,
            };
            Some((token, (span.start.line(), span.start.col() + 1)))
        });
        descend(&mut tokens, path)
    }
}

/// Follows the keys as far as the text has them.
fn descend<P: Copy>(tokens: &mut dyn Iterator<Item = (Token, P)>, path: &[String]) -> Option<P> {
    let (first, mut place) = tokens.next()?;
    let mut opened = first;
    for key in path {
        // The place of a mapping's entry is its key, that of an element the element.
        let found = match opened {
            Token::OpenMapping => entry(tokens, key),
            Token::OpenSequence => element(tokens, key),
            Token::Close | Token::Scalar(_) | Token::Alias => None,
        };
        let Some((token, at)) = found else { break };
        (opened, place) = (token, at);
    }
    Some(place)
}

/// The value's first token and the key's place.
fn entry<P: Copy>(tokens: &mut dyn Iterator<Item = (Token, P)>, wanted: &str) -> Option<(Token, P)> {
    loop {
        let (key, at) = tokens.next()?;
        let is_wanted = match &key {
            Token::Close => return None,
            Token::Scalar(text) => text == wanted,
            _ => false,
        };
        let (value, _) = tokens.next()?;
        if is_wanted {
            return Some((value, at));
        }
        skip(tokens, &value)?;
    }
}

fn element<P: Copy>(tokens: &mut dyn Iterator<Item = (Token, P)>, index: &str) -> Option<(Token, P)> {
    for _ in 0..index.parse::<usize>().ok()? {
        match tokens.next()? {
            (Token::Close, _) => return None,
            (value, _) => skip(tokens, &value)?,
        }
    }
    tokens.next().filter(|(token, _)| !matches!(token, Token::Close))
}

/// Passes over what is left of a value whose first token was read.
fn skip<P>(tokens: &mut dyn Iterator<Item = (Token, P)>, first: &Token) -> Option<()> {
    let mut depth = usize::from(matches!(first, Token::OpenMapping | Token::OpenSequence));
    while depth > 0 {
        match tokens.next()?.0 {
            Token::OpenMapping | Token::OpenSequence => depth += 1,
            Token::Close => depth -= 1,
            Token::Scalar(_) | Token::Alias => {}
        }
    }
    Some(())
}

/// Tokens of a text that is known to be JSON, with their offsets.
struct JsonTokens<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for JsonTokens<'_> {
    type Item = (Token, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let is_between = |b: &u8| b.is_ascii_whitespace() || matches!(b, b',' | b':');
        self.at += bytes.get(self.at..)?.iter().take_while(|b| is_between(b)).count();
        let start = self.at;
        let token = match bytes.get(start)? {
            b'{' => Token::OpenMapping,
            b'[' => Token::OpenSequence,
            b'}' | b']' => Token::Close,
            b'"' => {
                let mut is_escaped = true; // so that the opening quote does not end the string
                let length = bytes.get(start..)?.iter().position(|b| {
                    let is_end = *b == b'"' && !is_escaped;
                    is_escaped = *b == b'\\' && !is_escaped;
                    is_end
                })?;
                self.at += length;
                Token::Scalar(serde_json::from_str(self.text.get(start..=self.at)?).ok()?)
            }
            _ => {
                let is_literal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
                self.at += bytes.get(start..)?.iter().take_while(|b| is_literal(b)).count().max(1) - 1;
                Token::Scalar(String::new())
            }
        };
        self.at += 1;
        Some((token, start))
    }
}
