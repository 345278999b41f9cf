//! The grammar of a user's search parameter expression: the small part of FHIRPath that the standard's own parameters use.
//!
//! Unions of dotted paths with casts (`as`, `.as()`, `.ofType()`), `where(f = 's')`, `where(resolve() is T)`, `[n]`,
//! `.first()`, `.extension('url')`, and the one form `x.exists() and x != false`. [`super::lower`] turns the result into paths.

use std::fmt;
use std::ops::Range;

use super::table::Rule;

/// Parentheses may nest this deep; the standard's own expressions nest once.
const MAX_DEPTH: usize = 16;

/// Why an expression is refused, and which bytes of its text are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// Byte range in the text of the expression; the whole of it where no part is to blame.
    pub span: Range<usize>,
    /// What was found and what was expected.
    pub message: String,
}

impl ExprError {
    pub(super) fn new(span: &Range<usize>, message: impl Into<String>) -> Self {
        ExprError {
            span: span.clone(),
            message: message.into(),
        }
    }
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expression, bytes {}..{}: {}",
            self.span.start, self.span.end, self.message
        )
    }
}

impl std::error::Error for ExprError {}

/// A parsed expression: a union of paths, not yet bound to a resource type.
#[derive(Clone, Debug)]
pub struct Expr {
    pub(super) branches: Vec<Chain>,
    pub(super) rule: Option<Rule>,
    pub(super) span: Range<usize>,
}

impl Expr {
    /// The rule that computes a value from the paths: of `x.exists() and x != false`.
    #[must_use]
    pub fn rule(&self) -> Option<Rule> {
        self.rule
    }
}

/// One path: where it starts, and the steps from there. Flat, so that a long path needs no deep stack.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) head: Head,
    pub(super) head_span: Range<usize>,
    pub(super) steps: Vec<(Step, Range<usize>)>,
}

#[derive(Clone, Debug)]
pub(super) enum Head {
    /// A type, or an element of the resource at hand.
    Name(String),
    /// A union in parentheses.
    Group(Vec<Chain>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Cast(String),
    /// `where(a.b = 'text')`
    Equal(Vec<String>, String),
    /// `where(extension('url').exists())`
    HasExtension(String),
    /// `where(resolve() is T)`
    RefIs(String),
    Index(usize),
    First,
}

/// Reads an expression.
///
/// # Errors
///
/// Anything outside of the grammar above is refused with its place; nothing is guessed or left out.
pub fn parse(text: &str) -> Result<Expr, ExprError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        end: text.len(),
        exists: false,
    };
    let branches = parser.union(0)?;
    let mut rule = None;
    if parser.exists && parser.takes(&Token::Name("and".to_owned())) {
        parser.not_false(&branches)?;
        rule = Some(Rule::ExistsAndNotFalse);
    }
    match parser.tokens.get(parser.next) {
        None => Ok(Expr {
            branches,
            rule,
            span: 0..text.len(),
        }),
        Some((token, span)) => Err(ExprError::new(span, format!("{token} is not expected here"))),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    Text(String),
    Number(usize),
    NotEqual,
    Mark(char),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Name(name) => write!(f, "`{name}`"),
            Token::Text(_) => f.write_str("a text"),
            Token::Number(number) => write!(f, "`{number}`"),
            Token::NotEqual => f.write_str("`!=`"),
            Token::Mark(mark) => write!(f, "`{mark}`"),
        }
    }
}

type Tokens = Vec<(Token, Range<usize>)>;

fn tokens(text: &str) -> Result<Tokens, ExprError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, len) = match first {
            ' ' | '\t' | '\r' | '\n' => {
                at += 1;
                continue;
            }
            'A'..='Z' | 'a'..='z' | '_' => {
                let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let len = rest.find(|c| !inside(c)).unwrap_or(rest.len());
                (Token::Name(rest[..len].to_owned()), len)
            }
            '0'..='9' => {
                let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let number = rest[..len].parse();
                let number = number.map_err(|_| ExprError::new(&(at..at + len), "the number is too large"))?;
                (Token::Number(number), len)
            }
            '\'' | '"' => quoted(rest, first, at)?,
            '!' if rest.starts_with("!=") => (Token::NotEqual, 2),
            '.' | '|' | '(' | ')' | '[' | ']' | '=' | ',' => (Token::Mark(first), 1),
            other => {
                let span = at..at + other.len_utf8();
                return Err(ExprError::new(
                    &span,
                    format!("the character `{}` is not supported", other.escape_debug()),
                ));
            }
        };
        found.push((token, at..at + len));
        at += len;
    }
    Ok(found)
}

/// A text in single quotes, or in double quotes as some authors write it; also its length with the quotes.
fn quoted(rest: &str, quote: char, at: usize) -> Result<(Token, usize), ExprError> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((offset, c)) = chars.next() {
        if c == quote {
            return Ok((Token::Text(text), offset + 1));
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some((_, c @ ('\'' | '"' | '`' | '\\' | '/'))) => text.push(c),
            Some((_, 'n')) => text.push('\n'),
            Some((_, 'r')) => text.push('\r'),
            Some((_, 't')) => text.push('\t'),
            Some((_, 'f')) => text.push('\u{c}'),
            _ => {
                let span = at + offset..at + offset + 1;
                return Err(ExprError::new(&span, "this escape is not supported in a text"));
            }
        }
    }
    Err(ExprError::new(&(at..at + rest.len()), "the text has no closing quote"))
}

struct Parser {
    tokens: Tokens,
    next: usize,
    /// Length of the text, for what is missing at its end.
    end: usize,
    /// `exists()` was read, with `and` after it.
    exists: bool,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn takes(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        self.next += usize::from(found);
        found
    }

    fn takes_mark(&mut self, mark: char) -> bool {
        self.takes(&Token::Mark(mark))
    }

    fn expect(&mut self, wanted: &Token) -> Result<(), ExprError> {
        if self.takes(wanted) {
            return Ok(());
        }
        Err(self.expected(&wanted.to_string()))
    }

    fn expect_mark(&mut self, mark: char) -> Result<(), ExprError> {
        self.expect(&Token::Mark(mark))
    }

    fn expected(&self, what: &str) -> ExprError {
        match self.tokens.get(self.next) {
            Some((token, span)) => ExprError::new(span, format!("{what} was expected, not {token}")),
            None => ExprError::new(&(self.end..self.end), format!("{what} was expected, not the end")),
        }
    }

    /// Span of what was read since a token.
    fn since(&self, first: usize) -> Range<usize> {
        let start = self.tokens.get(first).map_or(self.end, |(_, span)| span.start);
        let last = self.next.checked_sub(1).and_then(|last| self.tokens.get(last));
        start..last.map_or(start, |(_, span)| span.end.max(start))
    }

    fn name(&mut self, what: &str) -> Result<String, ExprError> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.expected(what)),
        }
    }

    fn text(&mut self) -> Result<String, ExprError> {
        match self.peek() {
            Some(Token::Text(text)) => {
                let text = text.clone();
                self.next += 1;
                Ok(text)
            }
            _ => Err(self.expected("a text in quotes")),
        }
    }

    /// `Quantity`, `FHIR.Quantity`
    fn type_name(&mut self) -> Result<String, ExprError> {
        let name = self.name("a type")?;
        if name == "FHIR" && self.takes_mark('.') {
            return self.name("a type");
        }
        Ok(name)
    }

    fn union(&mut self, depth: usize) -> Result<Vec<Chain>, ExprError> {
        let mut branches = vec![self.chain(depth)?];
        while self.takes_mark('|') {
            branches.push(self.chain(depth)?);
        }
        Ok(branches)
    }

    fn chain(&mut self, depth: usize) -> Result<Chain, ExprError> {
        let first = self.next;
        let head = if self.takes_mark('(') {
            if depth == MAX_DEPTH {
                return Err(ExprError::new(&self.since(first), "parentheses are nested too deeply"));
            }
            let group = self.union(depth + 1)?;
            self.expect_mark(')')?;
            Head::Group(group)
        } else {
            Head::Name(self.name("a path")?)
        };
        let mut chain = Chain {
            head,
            head_span: self.since(first),
            steps: Vec::new(),
        };
        loop {
            let first = self.next;
            let step = if self.takes_mark('.') {
                let name = self.name("an element or a function")?;
                if self.takes_mark('(') {
                    if name == "exists" && depth == 0 && self.exists_and() {
                        return Ok(chain);
                    }
                    self.call(&name, first, &mut chain)?
                } else {
                    Step::Field(name)
                }
            } else if self.takes_mark('[') {
                let Some(&Token::Number(index)) = self.peek() else {
                    return Err(self.expected("a position"));
                };
                self.next += 1;
                self.expect_mark(']')?;
                Step::Index(index)
            } else if self.takes(&Token::Name("as".to_owned())) {
                let cast = Step::Cast(self.type_name()?);
                chain.steps.push((cast, self.since(first)));
                return Ok(chain);
            } else {
                return Ok(chain);
            };
            chain.steps.push((step, self.since(first)));
        }
    }

    /// The rest of `exists() and`, of which `and` stays to be read.
    fn exists_and(&mut self) -> bool {
        let and = self.tokens.get(self.next + 1).map(|(token, _)| token);
        self.exists = and == Some(&Token::Name("and".to_owned())) && self.takes_mark(')');
        self.exists
    }

    /// A function after its opening parenthesis; it may add steps before the one it returns.
    fn call(&mut self, name: &str, first: usize, chain: &mut Chain) -> Result<Step, ExprError> {
        let step = match name {
            "as" | "ofType" => Step::Cast(self.type_name()?),
            "first" => Step::First,
            "where" => self.test()?,
            "extension" => {
                let url = self.text()?;
                chain
                    .steps
                    .push((Step::Field("extension".to_owned()), self.since(first)));
                Step::Equal(vec!["url".to_owned()], url)
            }
            "exists" => {
                let message = "exists() is supported only as `x.exists() and x != false`";
                return Err(ExprError::new(&self.since(first), message));
            }
            other => {
                let message = format!("the function `{other}` is not supported");
                return Err(ExprError::new(&self.since(first), message));
            }
        };
        self.expect_mark(')')?;
        Ok(step)
    }

    /// What stands in `where( )`.
    fn test(&mut self) -> Result<Step, ExprError> {
        let name = self.name("a test")?;
        if self.takes_mark('(') {
            if name == "resolve" {
                self.expect_mark(')')?;
                self.expect(&Token::Name("is".to_owned()))?;
                return Ok(Step::RefIs(self.type_name()?));
            }
            if name == "extension" {
                let url = self.text()?;
                self.expect_mark(')')?;
                self.expect_mark('.')?;
                self.expect(&Token::Name("exists".to_owned()))?;
                self.expect_mark('(')?;
                self.expect_mark(')')?;
                return Ok(Step::HasExtension(url));
            }
            let span = self.since(self.next - 2);
            return Err(ExprError::new(
                &span,
                format!("the function `{name}` is not supported in where()"),
            ));
        }
        let mut member = vec![name];
        while self.takes_mark('.') {
            member.push(self.name("an element")?);
        }
        self.expect_mark('=')?;
        Ok(Step::Equal(member, self.text()?))
    }

    /// `x != false` after `x.exists() and`.
    fn not_false(&mut self, branches: &[Chain]) -> Result<(), ExprError> {
        let first = self.next;
        let right = self.chain(0)?;
        let span = self.since(first);
        self.expect(&Token::NotEqual)?;
        self.expect(&Token::Name("false".to_owned()))?;
        match branches {
            [left] if same(left, &right) => Ok(()),
            _ => Err(ExprError::new(
                &span,
                "only `x.exists() and x != false` with the same path twice is supported",
            )),
        }
    }
}

fn same(left: &Chain, right: &Chain) -> bool {
    let (Head::Name(a), Head::Name(b)) = (&left.head, &right.head) else {
        return false;
    };
    let steps = left.steps.iter().map(|(step, _)| step);
    a == b && steps.eq(right.steps.iter().map(|(step, _)| step))
}
