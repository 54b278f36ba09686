//! `${…}` taken apart: what stands as it is, and what is asked for. What it stands for is decided by the
//! [walker](super::walk), which knows the names.

use std::ops::Range;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// As it stands; `$${` has become `${`.
    Literal(String),
    /// `${…}`, with its range in the text.
    Reference(Reference<'a>, Range<usize>),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference<'a> {
    /// `ports.NAME`, `ports.NAME.2`
    Port(&'a str, Option<&'a str>),
    /// `vars.NAME`
    Var(&'a str),
    /// `secrets.NAME`
    Secret(&'a str),
    /// `env.NAME`, `env.NAME:-default`; the default is a text of its own, which may ask for more
    Env(&'a str, Option<&'a str>),
    /// `scenario.dir`
    ScenarioDir,
    /// `run.dir`
    RunDir,
    /// `run.exe`
    RunExe,
    /// `process.dir`
    ProcessDir,
    /// `process.NAME.port`, `.addr` or `.url`
    Process(&'a str, Of),
    /// `replica`
    Replica,
}

/// Which form of a process's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Port,
    Addr,
    Url,
}

/// Why a `${…}` cannot be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadReference {
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The words after `${`, for suggestions.
const SOURCES: &[&str] = &["ports", "vars", "secrets", "env", "scenario", "run", "process", "replica"];
/// All forms, for help lines.
const FORMS: &str = "${ports.NAME}, ${vars.NAME}, ${secrets.NAME}, ${env.NAME}, ${env.NAME:-default}, ${process.NAME.url}, \
                     ${process.NAME.addr}, ${process.NAME.port}, ${process.dir}, ${scenario.dir}, ${run.dir}, ${run.exe}, ${replica}";

/// Whether the text asks for anything (or holds an escape), so that most texts cost nothing.
pub(super) fn is_plain(text: &str) -> bool {
    !text.contains("${")
}

/// So many `${…}` may stand inside each other.
const DEEPEST: usize = 8;

/// Takes the text apart; each bad `${…}` is one error, also in a default.
pub(super) fn parse(text: &str) -> (Vec<Piece<'_>>, Vec<BadReference>) {
    let (mut pieces, mut errors, mut literal) = (Vec::new(), Vec::new(), String::new());
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        if start > at && text.as_bytes()[start - 1] == b'$' {
            literal.push_str(&text[at..start - 1]);
            literal.push_str("${");
            at = start + 2;
            continue;
        }
        literal.push_str(&text[at..start]);
        let inner = match inner(&text[start..]) {
            Ok(inner) => inner,
            Err((message, help)) => {
                errors.push(BadReference { range: start..text.len(), message, help });
                at = text.len();
                break;
            }
        };
        let range = start..start + inner.len() + 3;
        at = range.end;
        match reference(inner) {
            Ok(reference) => {
                if let Reference::Env(_, Some(default)) = reference {
                    let offset = range.end - 1 - default.len();
                    let shifted = |bad: BadReference| BadReference { range: bad.range.start + offset..bad.range.end + offset, ..bad };
                    errors.extend(parse(default).1.into_iter().map(shifted));
                }
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Reference(reference, range));
            }
            Err((message, help)) => errors.push(BadReference { range, message, help }),
        }
    }
    literal.push_str(&text[at..]);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    (pieces, errors)
}

/// What stands between the braces of the `${` that `text` begins with; others may stand in there.
fn inner(text: &str) -> Result<&str, (String, Option<String>)> {
    let mut open = 0;
    for (at, brace) in text.match_indices(['{', '}']) {
        if brace == "{" {
            open += usize::from(text[..at].ends_with('$'));
        } else if open == 1 {
            return Ok(&text[2..at]);
        } else {
            open -= 1;
        }
        if open > DEEPEST {
            return Err((format!("more than {DEEPEST} `${{…}}` stand inside each other"), None));
        }
    }
    Err(("`${` has no `}`".into(), Some("for a literal `${` write `$${`".into())))
}

/// What stands between the braces.
fn reference(inner: &str) -> Result<Reference<'_>, (String, Option<String>)> {
    use super::suggest::{did_you_mean, shown};
    let (source, rest) = match inner.split_once('.') {
        Some((source, rest)) => (source, Some(rest)),
        None => (inner, None),
    };
    let bad = |what: &str| Err((format!("`${{{}}}` {what}", shown(inner)), Some(format!("there are {FORMS}"))));
    match (source, rest) {
        ("ports", Some(rest)) => Ok(match rest.split_once('.') {
            Some((name, replica)) => Reference::Port(name, Some(replica)),
            None => Reference::Port(rest, None),
        }),
        ("vars", Some(name)) => Ok(Reference::Var(name)),
        ("secrets", Some(name)) => Ok(Reference::Secret(name)),
        ("env", Some(rest)) => Ok(match rest.split_once(":-") {
            Some((name, default)) => Reference::Env(name, Some(default)),
            None => Reference::Env(rest, None),
        }),
        ("scenario", Some("dir")) => Ok(Reference::ScenarioDir),
        ("run", Some("dir")) => Ok(Reference::RunDir),
        ("run", Some("exe")) => Ok(Reference::RunExe),
        ("process", Some("dir")) => Ok(Reference::ProcessDir),
        ("process", Some(rest)) => match rest.rsplit_once('.') {
            Some((name, "port")) => Ok(Reference::Process(name, Of::Port)),
            Some((name, "addr")) => Ok(Reference::Process(name, Of::Addr)),
            Some((name, "url")) => Ok(Reference::Process(name, Of::Url)),
            Some((name, other)) => Err((
                format!("a process has no `{}`", shown(other)),
                did_you_mean(other, ["port", "addr", "url"])
                    .or_else(|| Some(format!("`${{process.{}.url}}`, `.addr` or `.port`", shown(name)))),
            )),
            None => Err((
                format!("what of process `{}`?", shown(rest)),
                Some(format!("`${{process.{}.url}}`, `.addr` or `.port`", shown(rest))),
            )),
        },
        ("replica", None) => Ok(Reference::Replica),
        ("scenario" | "run", Some(other)) => bad(&format!("is not known: `{source}` has a `dir`, but no `{}`", shown(other))),
        (known, None) if SOURCES.contains(&known) => bad("names nothing"),
        (other, _) => match super::suggest::nearest(other, SOURCES.iter().copied()) {
            Some(right) => Err((format!("`{}` is no source of text", shown(other)), Some(format!("did you mean `{right}`?")))),
            None => Err((
                format!("`${{{}}}` is not known", shown(inner)),
                Some(format!(
                    "there are {FORMS}; to keep it as it stands, for a shell say, write `$${{{}}}`",
                    shown(&inner.replace("${", "$${"))
                )),
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn c5_every_source_is_known_and_doubled_dollars_escape() {
        let (pieces, errors) = parse("a$${b}${ports.up}$$x$${${env.A_B:-c d}${process.up.url}/mcp");
        assert_eq!(errors, []);
        assert_eq!(
            pieces,
            [
                Piece::Literal("a${b}".into()),
                Piece::Reference(Reference::Port("up", None), 6..17),
                Piece::Literal("$$x${".into()),
                Piece::Reference(Reference::Env("A_B", Some("c d")), 23..38),
                Piece::Reference(Reference::Process("up", Of::Url), 38..55),
                Piece::Literal("/mcp".into()),
            ]
        );
    }

    #[test]
    fn bad_references_say_what_was_meant() {
        let said = |text| parse(text).1.into_iter().map(|e| (e.message, e.help.unwrap_or_default())).collect::<Vec<_>>();
        assert_eq!(said("${prots.a}"), [("`prots` is no source of text".into(), "did you mean `ports`?".into())]);
        assert!(said("${HOME}")[0].1.contains("write `$${HOME}`"));
        assert_eq!(said("${process.up.utl}")[0].1, "did you mean `url`?");
        assert_eq!(said("x ${ports.a")[0].0, "`${` has no `}`");
        assert_eq!(said("${ports} ${}").len(), 2);
        assert!(said("${HOME:-${OTHER}}")[0].1.contains("write `$${HOME:-$${OTHER}}`"));
    }

    #[test]
    fn a_default_is_a_text_of_its_own() {
        let (pieces, errors) = parse("${env.A:-x{${env.B:-$${c}}}y}");
        assert_eq!(errors, []);
        assert_eq!(pieces[0], Piece::Reference(Reference::Env("A", Some("x{${env.B:-$${c}}")), 0..27));
        let (_, errors) = parse("ab ${env.A:-cd ${vras.e}}");
        assert_eq!((errors.len(), errors[0].range.clone()), (1, 15..24));
        assert_eq!(parse(&"${env.A:-".repeat(9)).1[0].message, "more than 8 `${…}` stand inside each other");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_plain_text_is_kept(text in "[${}.:a-z\\PC-]*") {
            let (pieces, errors) = parse(&text);
            if is_plain(&text) {
                let kept: Vec<_> = if text.is_empty() { vec![] } else { vec![Piece::Literal(text.clone())] };
                prop_assert_eq!((pieces, errors), (kept, vec![]));
            }
        }
    }
}
